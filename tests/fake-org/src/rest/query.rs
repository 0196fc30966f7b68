//! Queries: what they find, and the pages in which it comes.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::refusal::{Refusal, no_such_column, no_such_object};
use super::{Call, Rest, Result};
use crate::schema::{self, Field, Object};
use crate::soql::{self, Order, Selected};
use crate::{Answer, text};

/// How many paged queries are kept; the oldest makes way for a new one.
const CURSORS_MAX: usize = 64;

/// A query, resolved and carried out.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) object: &'static Object,
    pub(super) selected: Selected<&'static Field>,
    pub(super) rows: Vec<usize>,
}

impl Rest {
    pub(super) fn query(&mut self, call: &Call, segments: &[&str]) -> Result {
        let soql = text::query(&call.request.query)
            .map_err(|problem| Refusal::new(400, "MALFORMED_QUERY", problem))?
            .into_iter()
            .find(|(name, _)| name == "q")
            .map(|(_, soql)| soql)
            .ok_or_else(|| Refusal::new(400, "MALFORMED_QUERY", "SOQL statements cannot be empty"))?;
        let found = self.search(&soql, segments[0] == "tooling", segments[0] == "queryAll")?;
        if found.rows.len() > call.setup.page_size && matches!(found.selected, Selected::Fields(_)) {
            self.made += 1;
            let cursor = format!("01g5g0{:09}AAA", self.made);
            if self.cursors.len() == CURSORS_MAX {
                self.cursors.pop_front();
            }
            self.cursors.push_back((cursor.clone(), found.clone()));
            return Ok(self.page(call, &segments.join("/"), &cursor, &found, 0));
        }
        Ok(self.page(call, "", "", &found, 0))
    }

    /// What `nextRecordsUrl` leads to: `01g...-2000`.
    pub(super) fn next_page(&mut self, call: &Call, resource: &str, at: &str) -> Result {
        let invalid = || Refusal::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        let (cursor, offset) = at.split_once('-').ok_or_else(invalid)?;
        let offset: usize = offset.parse().map_err(|_| invalid())?;
        let position = self.cursors.iter().position(|(id, _)| id == cursor).ok_or_else(invalid)?;
        // To the end of the queue, as the one most recently used.
        let (cursor, found) = self.cursors.remove(position).expect("BUG: a position out of range");
        let in_range = (1..found.rows.len()).contains(&offset);
        let page = in_range.then(|| self.page(call, resource, &cursor, &found, offset));
        self.cursors.push_back((cursor, found));
        page.ok_or_else(invalid)
    }

    fn page(&self, call: &Call, resource: &str, cursor: &str, found: &Found, offset: usize) -> Answer {
        let total = found.rows.len();
        let fields = match &found.selected {
            Selected::Fields(fields) => fields,
            Selected::Count => {
                return Answer::json(200, format!(r#"{{"totalSize":{total},"done":true,"records":[]}}"#));
            }
            Selected::CountOf(_, alias) => {
                let record = format!(r#"{{"attributes":{{"type":"AggregateResult"}},"{alias}":{total}}}"#);
                return Answer::json(200, format!(r#"{{"totalSize":1,"done":true,"records":[{record}]}}"#));
            }
        };
        let mut page = format!(r#"{{"totalSize":{total}"#);
        let end = total.min(offset.saturating_add(call.setup.page_size.max(1)));
        let done = end == total;
        let mut put = |part: std::fmt::Arguments| page.write_fmt(part).expect("BUG: a String is full");
        put(format_args!(r#","done":{done}"#));
        if !done {
            put(format_args!(r#","nextRecordsUrl":"{}/{resource}/{cursor}-{end}""#, call.base));
        }
        page.push_str(r#","records":["#);
        if let Some(table) = self.tables.get(found.object.name) {
            for (index, row) in found.rows.get(offset..end).unwrap_or_default().iter().enumerate() {
                if index > 0 {
                    page.push(',');
                }
                table.rows[*row].write_json(&mut page, found.object, fields, &call.base);
            }
        }
        page.push_str("]}");
        Answer::json(200, page)
    }

    pub(super) fn search(&mut self, soql: &str, tooling: bool, deleted_too: bool) -> Result<Found> {
        self.find_all(soql, tooling, deleted_too).map_err(|refusal| refusal.in_query(soql))
    }

    fn find_all(&mut self, soql: &str, tooling: bool, deleted_too: bool) -> Result<Found> {
        let query = soql::parse(soql).map_err(|problem| Refusal::new(400, "MALFORMED_QUERY", problem))?;
        let object = schema::object(&query.object).filter(|object| object.tooling == tooling);
        let object = object.ok_or_else(|| no_such_object(&query.object))?;
        let field = |name: &String| object.field(name).ok_or_else(|| no_such_column(object, name, "entity"));
        let selected = match &query.selected {
            Selected::Fields(names) => Selected::Fields(names.iter().map(field).collect::<Result<_>>()?),
            Selected::Count => Selected::Count,
            Selected::CountOf(name, alias) => Selected::CountOf(field(name)?, alias.clone()),
        };
        let mut order = Vec::new();
        for Order { field: name, descending } in &query.order {
            order.push(Order { field: field(name)?, descending: *descending });
        }
        let conditions = query.conditions.into_iter().map(|condition| condition.of(object));
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        let records = &self.table(object).rows;
        let found = records.iter().enumerate().filter(|(_, row)| {
            (deleted_too || !row.deleted)
                && conditions.iter().all(|condition| condition.holds_for(row))
                && !matches!(selected, Selected::CountOf(field, _) if row.value(field).is_null())
        });
        let mut rows: Vec<usize> = found.map(|(number, _)| number).collect();
        if !order.is_empty() {
            rows.sort_by(|a, b| {
                let mut items = order.iter().map(|item| item.compare(&records[*a], &records[*b]));
                items.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
            });
        }
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(Found { object, selected, rows })
    }
}
