//! Queries: what they find, and the pages in which it comes.

use std::fmt::Write as _;

use serde_json::Value;

use super::refusal::{Refusal, no_such_column, no_such_object};
use super::table::Row;
use super::{Call, Rest, Result};
use crate::Answer;
use crate::schema::{self, Field, Object, Reach};
use crate::soql::{self, Column, Function, Order, Selected};

/// How many paged queries are kept; the oldest makes way for a new one.
const CURSORS_MAX: usize = 64;

/// A query, resolved and carried out.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) object: &'static Object,
    pub(super) selected: Selected<&'static Field>,
    pub(super) rows: Vec<usize>,
    /// Of groups, whose number is not known yet.
    limit: usize,
}

impl Rest {
    pub(super) fn query(&mut self, call: &Call, segments: &[&str]) -> Result {
        let soql = call.request.param("q");
        let soql = soql.ok_or_else(|| Refusal::new(400, "MALFORMED_QUERY", "there is no query"))?;
        let found = self.search(call, &soql, segments[0] == "tooling", segments[0] == "queryAll")?;
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
            Selected::Groups(columns, by) => {
                let rows = self.tables.get(found.object.name).map_or(&[][..], |table| &table.rows);
                let groups = groups(columns, by, found.rows.iter().map(|row| &rows[*row]).collect());
                let groups: Vec<String> = groups.into_iter().take(found.limit).collect();
                let (total, records) = (groups.len(), groups.join(","));
                let page = format!(r#"{{"totalSize":{total},"done":true,"records":[{records}]}}"#);
                return Answer::json(200, page);
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

    pub(super) fn search(
        &mut self,
        call: &Call,
        soql: &str,
        tooling: bool,
        deleted_too: bool,
    ) -> Result<Found> {
        self.find_all(call, soql, tooling, deleted_too).map_err(|refusal| refusal.in_query(soql))
    }

    fn find_all(&mut self, call: &Call, soql: &str, tooling: bool, deleted_too: bool) -> Result<Found> {
        let query = soql::parse(soql).map_err(|problem| Refusal::new(400, "MALFORMED_QUERY", problem))?;
        let object =
            schema::object(&query.object).filter(|object| (object.reach == Reach::ToolingQueries) == tooling);
        let object = object.ok_or_else(|| no_such_object(&query.object))?;
        let field = |name: &String| object.field(name).ok_or_else(|| no_such_column(object, name, "entity"));
        let selected = match &query.selected {
            Selected::Fields(names) => Selected::Fields(names.iter().map(field).collect::<Result<_>>()?),
            Selected::Count => Selected::Count,
            Selected::Groups(columns, by) => {
                let by = by.iter().map(field).collect::<Result<Vec<_>>>()?;
                let column = |Column { function, field: of, name }: &Column<String>| {
                    let column = Column { function: *function, field: field(of)?, name: name.clone() };
                    if function.is_none() && !by.iter().any(|field| field.name == column.field.name) {
                        let problem = format!("Field must be grouped or aggregated: {of}");
                        return Err(Refusal::new(400, "MALFORMED_QUERY", problem).at(of));
                    }
                    Ok(column)
                };
                Selected::Groups(columns.iter().map(column).collect::<Result<_>>()?, by)
            }
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
                && (object.name != "LoginHistory" || call.viewer.is_none_or(|id| row.fields["UserId"] == id))
        });
        let mut rows: Vec<usize> = found.map(|(number, _)| number).collect();
        if !order.is_empty() {
            rows.sort_by(|a, b| {
                let mut items = order.iter().map(|item| item.compare(&records[*a], &records[*b]));
                let equal = || if order[0].descending { b.cmp(a) } else { a.cmp(b) };
                items.find(|ordering| ordering.is_ne()).unwrap_or_else(equal)
            });
        }
        let limit = query.limit.unwrap_or(usize::MAX);
        if !matches!(selected, Selected::Groups(..)) {
            rows.truncate(limit);
        }
        Ok(Found { object, selected, rows, limit })
    }
}

/// The records of a query of groups, in the order in which their first rows were made.
fn groups(columns: &[Column<&Field>], by: &[&Field], rows: Vec<&Row>) -> Vec<String> {
    let mut groups: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
    if by.is_empty() {
        // Then there is one, of no rows if need be.
        groups.push((Vec::new(), Vec::new()));
    }
    for row in rows {
        let key: Vec<Value> = by.iter().map(|field| row.value(field)).collect();
        match groups.iter_mut().find(|(of, _)| *of == key) {
            Some((_, members)) => members.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let record = |rows: &[&Row]| {
        let mut record = r#"{"attributes":{"type":"AggregateResult"}"#.to_owned();
        for Column { function, field, name } in columns {
            let order = Order { field: *field, descending: false };
            let value = match function {
                None => rows[0].value(field),
                Some(Function::Count) => rows.iter().filter(|row| !row.value(field).is_null()).count().into(),
                Some(Function::Max) => {
                    let greatest = rows.iter().max_by(|a, b| order.compare(a, b));
                    greatest.map_or(Value::Null, |row| row.value(field))
                }
            };
            write!(record, r#","{name}":{value}"#).expect("BUG: a String is full");
        }
        record + "}"
    };
    groups.iter().map(|(_, rows)| record(rows)).collect()
}
