//! The REST API, for those who are logged in: records, queries, bulk jobs.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::schema::{self, Field, Kind, Object};
use crate::soql::{self, Condition, Literal, Operator, Order, Selected};
use crate::{Answer, ORG_ID, Request, SITE_USER_ID, SITE_USERNAME, Setup, USER_ID, USERNAME, text};

mod bulk;

const OLDEST_VERSION: u32 = 31;
const NEWEST_VERSION: u32 = 68;

/// API requests in a day, of which nothing is said when they are exceeded.
const DAILY_REQUESTS: usize = 15_000;

/// How many paged queries are kept; the oldest makes way for a new one.
const CURSORS_MAX: usize = 64;

/// How many records a request to `composite/sobjects` may have.
const COLLECTION_MAX: usize = 200;

/// Why a request of the API is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    fields: Vec<String>,
    /// What is wrong in a query.
    word: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), fields: Vec::new(), word: None }
    }

    fn not_found() -> Refusal {
        Refusal::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    fn deleted() -> Refusal {
        Refusal::new(404, "ENTITY_IS_DELETED", "entity is deleted")
    }

    /// Says it of that word, if it is in a query.
    fn at(mut self, word: &str) -> Refusal {
        self.word = Some(word.to_owned());
        self
    }

    fn about(mut self, field: &str) -> Refusal {
        self.fields.push(field.to_owned());
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        let mut error = json!({ "message": refusal.message, "errorCode": refusal.code });
        if !refusal.fields.is_empty() {
            error["fields"] = json!(refusal.fields);
        }
        Answer::json(refusal.status, json!([error]))
    }
}

type Result<T = Answer, E = Refusal> = std::result::Result<T, E>;

/// What `/services/data/` says to everybody: the versions, and the alias that came after them.
pub(crate) fn versions() -> Answer {
    let version = |number: u32| {
        let (season, next_year) = [("Spring", 0), ("Summer", 0), ("Winter", 1)][number as usize % 3];
        let label = format!("{season} '{}", 14 + (number - 30) / 3 + next_year);
        let version = format!("{number}.0");
        json!({ "label": label, "url": format!("/services/data/v{version}"), "version": version })
    };
    let mut versions: Vec<Value> = (OLDEST_VERSION..=NEWEST_VERSION).map(version).collect();
    let newest = format!("{NEWEST_VERSION}.0");
    versions.push(json!({ "label": "Latest", "url": "/services/data/latest", "version": newest }));
    Answer::json(200, Value::Array(versions))
}

/// The org's data.
pub(crate) struct Rest {
    tables: HashMap<&'static str, Table>,
    cursors: VecDeque<(String, Found)>,
    /// By kind and id, e.g. `query/750...`.
    jobs: HashMap<String, bulk::Job>,
    /// How many cursors and jobs there have been, for their ids.
    made: usize,
    calls: usize,
}

/// The records of one object. None is ever taken out, so that a number stays good for its record.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// By the shorter form of their ids.
    by_id: HashMap<String, usize>,
}

struct Row {
    id: String,
    fields: Map<String, Value>,
    deleted: bool,
}

/// A query, resolved and carried out.
#[derive(Clone)]
struct Found {
    object: &'static Object,
    selected: Selected<&'static Field>,
    rows: Vec<usize>,
}

/// A write that nothing is wrong with.
enum Write {
    Insert(Map<String, Value>),
    Update(usize, Map<String, Value>),
    Delete(usize),
}

/// Where in the API a request went to.
struct Call<'a> {
    request: &'a Request,
    setup: &'a Setup,
    /// E.g. `/services/data/v68.0`.
    base: String,
    version: u32,
}

impl Rest {
    /// The data of an org in which nothing has been done yet.
    pub(crate) fn new() -> Rest {
        let mut rest = Rest {
            tables: HashMap::new(),
            cursors: VecDeque::new(),
            jobs: HashMap::new(),
            made: 0,
            calls: 0,
        };
        rest.create(
            "Organization",
            json!({
                "Id": ORG_ID, "Name": "Fake Org", "OrganizationType": "Developer Edition",
                "InstanceName": "FAKE1", "IsSandbox": false,
            }),
        );
        for (id, name, username) in [(USER_ID, "Ada", USERNAME), (SITE_USER_ID, "Bob", SITE_USERNAME)] {
            let user = json!({
                "Id": id, "Username": username, "LastName": name, "Name": name, "Email": username,
                "IsActive": true,
            });
            rest.create("User", user);
        }
        rest
    }

    /// What the API says to a request from someone who is logged in.
    pub(crate) fn respond(&mut self, request: &Request, path: &str, setup: &Setup) -> Result {
        self.calls += 1;
        let usage = format!("api-usage={}/{DAILY_REQUESTS}", self.calls);
        if path == "/services/apexrest/echo" {
            return Ok(echo(request, path).header("Sforce-Limit-Info", usage));
        }
        let path = path.strip_prefix("/services/data/").ok_or_else(Refusal::not_found)?;
        let (version, path) = path.split_once('/').unwrap_or((path, ""));
        let number = match version.strip_prefix('v').and_then(|v| v.strip_suffix(".0")) {
            Some(number) => number.parse().map_err(|_| Refusal::not_found())?,
            None if version == "latest" => NEWEST_VERSION,
            None => return Err(Refusal::not_found()),
        };
        if number < OLDEST_VERSION {
            let problem = format!("API version {version} is no longer supported");
            return Err(Refusal::new(410, "GONE", problem));
        }
        if number > NEWEST_VERSION {
            return Err(Refusal::not_found());
        }
        let base = format!("/services/data/{version}");
        let call = Call { request, setup, base, version: number };
        let segments: Result<Vec<String>, String> =
            path.split('/').map(|segment| text::unescape(segment.as_bytes(), false)).collect();
        let segments = segments.map_err(|problem| Refusal::new(400, "BAD_REQUEST", problem))?;
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // `query/?q=` is as good as `query?q=`.
        if segments.len() > 1 && segments.last() == Some(&"") {
            segments.pop();
        }
        let answer = self.route(&call, &segments)?.header("Sforce-Limit-Info", usage);
        Ok(if number < 45 {
            answer.header("Warning", r#"299 - "This API version is deprecated""#)
        } else {
            answer
        })
    }

    fn route(&mut self, call: &Call, segments: &[&str]) -> Result {
        let method = call.request.method.as_str();
        match (if method == "HEAD" { "GET" } else { method }, segments) {
            ("GET", [""]) => Ok(resources(&call.base)),
            ("GET", ["limits"]) => Ok(self.limits()),
            ("GET", ["sobjects"]) => {
                let sobjects: Vec<Value> = schema::names().map(|name| json!({ "name": name })).collect();
                Ok(Answer::json(200, json!({ "encoding": "UTF-8", "sobjects": sobjects })))
            }
            ("GET", ["sobjects", name, "describe"]) => Ok(Answer::json(200, object(name)?.describe())),
            ("POST", ["sobjects", name]) => {
                let object = object(name)?;
                let write = insertion(object, writable(object, json_body(call.request)?)?)?;
                let (id, _) = self.write(object, write);
                Ok(Answer::json(201, json!({ "id": id, "success": true, "errors": [] })))
            }
            ("GET", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id, Refusal::not_found)?;
                self.read(call, object, row)
            }
            ("PATCH", ["sobjects", name, id]) => {
                let object = object(name)?;
                let write = self.update(object, id, json_body(call.request)?)?;
                self.write(object, write);
                Ok(Answer::new(204))
            }
            ("DELETE", ["sobjects", name, id]) => {
                let object = object(name)?;
                let write = self.deletion(object, id)?;
                self.write(object, write);
                Ok(Answer::new(204))
            }
            ("GET", ["sobjects", name, field, value]) => {
                let object = object(name)?;
                let field = external_id(object, field)?;
                match self.rows_with(object, field, value)[..] {
                    [] => Err(Refusal::not_found()),
                    [row] => self.read(call, object, row),
                    ref rows => Ok(self.choices(call, object, rows)),
                }
            }
            ("PATCH", ["sobjects", name, field, value]) => self.upsert(call, object(name)?, field, value),
            ("POST" | "PATCH" | "DELETE", ["composite", "sobjects"]) => self.collection(call, None),
            ("GET" | "POST", ["composite", "sobjects", name]) => self.read_collection(call, object(name)?),
            ("PATCH", ["composite", "sobjects", name, field]) => {
                let object = object(name)?;
                self.collection(call, Some((object, external_id(object, field)?)))
            }
            ("GET", ["query" | "queryAll"] | ["tooling", "query"]) => self.query(call, segments),
            ("GET", ["query" | "queryAll", at] | ["tooling", "query", at]) => {
                let resource = segments[..segments.len() - 1].join("/");
                self.next_page(call, &resource, at)
            }
            ("POST", ["jobs", "query"]) => self.new_query_job(call),
            ("POST", ["jobs", "ingest"]) => self.new_ingest_job(call),
            (_, ["jobs", kind @ ("query" | "ingest"), id, rest @ ..]) => self.job(call, kind, id, rest),
            (_, ["query" | "queryAll" | "limits" | "sobjects" | "composite" | "jobs", ..]) => {
                let problem = format!("HTTP Method '{method}' not allowed.");
                Err(Refusal::new(405, "METHOD_NOT_ALLOWED", problem))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn limits(&self) -> Answer {
        let limit = |max: usize, used: usize| {
            let left = max.saturating_sub(used);
            json!({ "Max": max, "Remaining": left })
        };
        let mut requests = limit(DAILY_REQUESTS, self.calls);
        // Some limits have those of single apps beside their own.
        requests["Workbench"] = limit(0, 0);
        Answer::json(
            200,
            json!({
                "DailyApiRequests": requests,
                "DataStorageMB": limit(5, 0),
                "SingleEmail": limit(15, 0),
            }),
        )
    }

    // Records.

    fn table(&mut self, object: &'static Object) -> &mut Table {
        self.tables.entry(object.name).or_default()
    }

    /// The number of the record with that id; `deleted` is what is said of one that was deleted.
    fn find(&mut self, object: &'static Object, id: &str, deleted: fn() -> Refusal) -> Result<usize> {
        if !matches!(id.len(), 15 | 18) || !id.is_ascii() {
            return Err(Refusal::new(400, "MALFORMED_ID", format!("malformed id {id}")));
        }
        let table = self.table(object);
        let row = table.by_id.get(&id[..15]).copied();
        let row = row.filter(|row| table.rows[*row].id.starts_with(id)).ok_or_else(Refusal::not_found)?;
        if table.rows[row].deleted { Err(deleted()) } else { Ok(row) }
    }

    fn rows_with(&mut self, object: &'static Object, field: &Field, value: &str) -> Vec<usize> {
        let rows = self.table(object).rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| !row.deleted && row.value(field) == value);
        rows.map(|(number, _)| number).collect()
    }

    fn update(&mut self, object: &'static Object, id: &str, body: Map<String, Value>) -> Result<Write> {
        let row = self.find(object, id, Refusal::deleted)?;
        Ok(Write::Update(row, writable(object, body)?))
    }

    fn deletion(&mut self, object: &'static Object, id: &str) -> Result<Write> {
        self.find(object, id, Refusal::deleted).map(Write::Delete)
    }

    /// An update of the record that has the same external id as these fields, or else an insert.
    fn upsertion(
        &mut self,
        object: &'static Object,
        key: &'static Field,
        mut body: Map<String, Value>,
    ) -> Result<Write> {
        if key.kind == Kind::Id {
            return match take_id(&mut body) {
                Some(id) => self.update(object, &id, body),
                None => insertion(object, writable(object, body)?),
            };
        }
        let fields = writable(object, body)?;
        let value = fields.get(key.name).and_then(Value::as_str).unwrap_or_default();
        if value.is_empty() {
            return Err(Refusal::new(400, "MISSING_ARGUMENT", format!("{} not specified", key.name)));
        }
        match self.rows_with(object, key, value)[..] {
            [] => insertion(object, fields),
            [row] => Ok(Write::Update(row, fields)),
            _ => {
                let problem = format!("more than one record found for external id field: {}", key.name);
                Err(Refusal::new(400, "DUPLICATE_EXTERNAL_ID", problem).about(key.name))
            }
        }
    }

    /// The id of the record that was written, and whether it is new.
    fn write(&mut self, object: &'static Object, write: Write) -> (String, bool) {
        let table = self.table(object);
        let row = match write {
            Write::Insert(fields) => return (table.insert(object, fields), true),
            Write::Update(row, fields) => {
                table.update(row, fields);
                row
            }
            Write::Delete(row) => {
                table.rows[row].deleted = true;
                row
            }
        };
        (table.rows[row].id.clone(), false)
    }

    /// Updates the record with that external id, or makes it.
    fn upsert(&mut self, call: &Call, object: &'static Object, key: &str, value: &str) -> Result {
        let key = external_id(object, key)?;
        let rows = self.rows_with(object, key, value);
        if rows.len() > 1 {
            return Ok(self.choices(call, object, &rows));
        }
        let mut body = json_body(call.request)?;
        if body.insert(key.name.to_owned(), value.into()).is_some() {
            let problem = format!("The {} field should not be specified in the sobject data.", key.name);
            return Err(Refusal::new(400, "INVALID_FIELD", problem));
        }
        let write = self.upsertion(object, key, body)?;
        let (id, created) = self.write(object, write);
        let status = match (created, call.version) {
            (true, _) => 201,
            (false, 46..) => 200,
            (false, _) => return Ok(Answer::new(204)),
        };
        let reply = json!({ "id": id, "success": true, "errors": [], "created": created });
        Ok(Answer::json(status, reply))
    }

    /// Writes many records, each with a result of its own: the request as a whole succeeds.
    fn collection(&mut self, call: &Call, upsert: Option<(&'static Object, &'static Field)>) -> Result {
        let (writes, all_or_none) = if call.request.method == "DELETE" {
            let ids = call.request.param("ids").unwrap_or_default();
            let deletion = |id: &str| {
                let object = schema::with_prefix(id).ok_or_else(Refusal::not_found)?;
                Ok((object, self.deletion(object, id)?))
            };
            let all_or_none = call.request.param("allOrNone").is_some_and(|value| value == "true");
            (ids.split(',').map(deletion).collect::<Vec<_>>(), all_or_none)
        } else {
            let mut body = json_body(call.request)?;
            let Some(Value::Array(records)) = body.remove("records") else {
                return Err(Refusal::new(400, "JSON_PARSER_ERROR", "records must be an array"));
            };
            let writes = records.into_iter().map(|record| self.collected(call, upsert, record));
            (writes.collect(), body.get("allOrNone") == Some(&json!(true)))
        };
        if writes.len() > COLLECTION_MAX {
            let problem = "record limit reached. cannot submit more than 200 records in this list";
            return Err(Refusal::new(400, "EXCEEDED_ID_LIMIT", problem));
        }
        let rolled_back = all_or_none && writes.iter().any(Result::is_err);
        let results = writes.into_iter().map(|write| match write {
            Ok(_) if rolled_back => Refusal::new(
                400,
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using AllOrNone header",
            )
            .as_result(),
            Ok((object, write)) => {
                let (id, created) = self.write(object, write);
                let mut result = json!({ "id": id, "success": true, "errors": [] });
                if upsert.is_some() {
                    result["created"] = created.into();
                }
                result
            }
            Err(refusal) => refusal.as_result(),
        });
        Ok(Answer::json(200, Value::Array(results.collect())))
    }

    /// What is to be written of one record of a collection.
    fn collected(
        &mut self,
        call: &Call,
        upsert: Option<(&'static Object, &'static Field)>,
        record: Value,
    ) -> Result<(&'static Object, Write)> {
        let name = record["attributes"]["type"].as_str().unwrap_or_default();
        let object = schema::object(name).filter(|object| !object.tooling);
        let object = object.ok_or_else(|| no_such_object(name))?;
        let Value::Object(mut fields) = record else { unreachable!("it has attributes") };
        let write = match upsert {
            Some((expected, _)) if !std::ptr::eq(expected, object) => {
                return Err(no_such_object(object.name));
            }
            Some((_, key)) => self.upsertion(object, key, fields),
            None if call.request.method == "POST" => insertion(object, writable(object, fields)?),
            None => {
                let id = take_id(&mut fields).ok_or_else(missing_id)?;
                self.update(object, &id, fields)
            }
        };
        Ok((object, write?))
    }

    /// More than one record has that external id: here they are.
    fn choices(&mut self, call: &Call, object: &'static Object, rows: &[usize]) -> Answer {
        let table = self.table(object);
        let url = |row: &usize| format!("{}/sobjects/{}/{}", call.base, object.name, table.rows[*row].id);
        Answer::json(300, json!(rows.iter().map(url).collect::<Vec<_>>()))
    }

    fn read(&mut self, call: &Call, object: &'static Object, row: usize) -> Result {
        let fields = fields(object, call.request.param("fields"))?;
        let mut record = String::new();
        self.table(object).rows[row].write_json(&mut record, object, &fields, &call.base);
        Ok(Answer::json(200, record))
    }

    /// Many records by their ids, each `null` where there is none.
    fn read_collection(&mut self, call: &Call, object: &'static Object) -> Result {
        let list = |name: &str| match &call.request.method[..] {
            "POST" => {
                let body = json_body(call.request)?;
                let names = body.get(name).and_then(Value::as_array).into_iter().flatten();
                Ok(Some(names.filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
            }
            _ => Ok(call.request.param(name)),
        };
        let fields = fields(object, list("fields")?)?;
        let mut records = Vec::new();
        for id in list("ids")?.unwrap_or_default().split(',') {
            let mut record = String::new();
            match self.find(object, id, Refusal::not_found) {
                Ok(row) => self.table(object).rows[row].write_json(&mut record, object, &fields, &call.base),
                Err(_) => record.push_str("null"),
            }
            records.push(record);
        }
        Ok(Answer::json(200, format!("[{}]", records.join(","))))
    }

    // Queries.

    fn query(&mut self, call: &Call, segments: &[&str]) -> Result {
        let soql = text::query(&call.request.query)
            .map_err(|problem| Refusal::new(400, "MALFORMED_QUERY", problem))?
            .into_iter()
            .find(|(name, _)| name == "q")
            .map(|(_, soql)| soql)
            .ok_or_else(|| Refusal::new(400, "MALFORMED_QUERY", "SOQL statements cannot be empty"))?;
        let found = self.search(&soql, segments[0] == "tooling", segments[0] == "queryAll")?;
        if call.request.param("columns").is_some_and(|value| value == "true") {
            return Ok(Answer::json(200, columns(&found)));
        }
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
    fn next_page(&mut self, call: &Call, resource: &str, at: &str) -> Result {
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

    fn search(&mut self, soql: &str, tooling: bool, deleted_too: bool) -> Result<Found> {
        self.find_all(soql, tooling, deleted_too).map_err(|mut refusal| {
            if let Some(word) = &refusal.word {
                refusal.message = soql::pointing_to(word, soql, &refusal.message);
            }
            refusal
        })
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
        for Order { field: name, descending, nulls_last } in &query.order {
            let (descending, nulls_last) = (*descending, *nulls_last);
            order.push(Order { field: field(name)?, descending, nulls_last });
        }
        let condition = query.condition.map(|condition| condition.of(object)).transpose()?;
        let records = &self.table(object).rows;
        let found = records.iter().enumerate().filter(|(_, row)| {
            (deleted_too || !row.deleted)
                && condition.as_ref().is_none_or(|condition| condition.holds_for(row))
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

    // What tests ask for.

    pub(crate) fn seed_accounts(&mut self, count: usize) {
        const START: i64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z
        let account = schema::object("Account").expect("BUG: no accounts");
        let Kind::Picklist(industries) = account.field("Industry").expect("BUG: no industry").kind else {
            unreachable!("Industry is a picklist")
        };
        let table = self.table(account);
        let first = table.rows.len() + 1;
        for number in first..first + count {
            let time = START + i64::try_from(number).unwrap_or(0) * 60_000;
            let Value::Object(fields) = json!({
                "Name": format!("Account {number:05}"),
                "External_Id__c": format!("EXT-{number:05}"),
                "Industry": industries[number % industries.len()],
                "NumberOfEmployees": number,
                "CreatedDate": text::timestamp(time),
                "LastModifiedDate": text::timestamp(time),
            }) else {
                unreachable!("an object is an object")
            };
            table.insert(account, fields);
        }
    }

    pub(crate) fn create(&mut self, name: &str, fields: Value) -> String {
        let Value::Object(fields) = fields else { panic!("fields are not an object: {fields}") };
        let object = schema::object(name).unwrap_or_else(|| panic!("no object {name}"));
        self.table(object).insert(object, fields)
    }

    pub(crate) fn records(&self, name: &str) -> Vec<Map<String, Value>> {
        let object = schema::object(name).unwrap_or_else(|| panic!("no object {name}"));
        let rows = self.tables.get(object.name).map_or(&[][..], |table| table.rows.as_slice());
        rows.iter().filter(|row| !row.deleted).map(|row| row.fields.clone()).collect()
    }
}

impl Table {
    fn insert(&mut self, object: &Object, mut fields: Map<String, Value>) -> String {
        let given = fields.get("Id").and_then(Value::as_str).map(str::to_owned);
        let id = given.unwrap_or_else(|| format!("{}5g0{:09}AAA", object.prefix, self.rows.len() + 1));
        let now = text::timestamp(text::now());
        fields.insert("Id".to_owned(), id.clone().into());
        for time in ["CreatedDate", "LastModifiedDate"] {
            fields.entry(time).or_insert_with(|| now.clone().into());
        }
        self.by_id.insert(id[..15].to_owned(), self.rows.len());
        self.rows.push(Row { id: id.clone(), fields, deleted: false });
        id
    }

    fn update(&mut self, row: usize, fields: Map<String, Value>) {
        let row = &mut self.rows[row];
        row.fields.extend(fields);
        row.fields.insert("LastModifiedDate".to_owned(), text::timestamp(text::now()).into());
    }
}

impl Row {
    fn value(&self, field: &Field) -> Value {
        match field.kind {
            Kind::Deleted => self.deleted.into(),
            _ => self.fields.get(field.name).cloned().unwrap_or_default(),
        }
    }

    /// Writes the record with its attributes first and its fields as they were asked for.
    fn write_json(&self, out: &mut String, object: &Object, fields: &[&Field], base: &str) {
        let (name, id) = (object.name, &self.id);
        let mut put = |part: std::fmt::Arguments| out.write_fmt(part).expect("BUG: a String is full");
        put(format_args!(r#"{{"attributes":{{"type":"{name}","url":"{base}/sobjects/{name}/{id}"}}"#));
        for field in fields {
            put(format_args!(r#","{}":{}"#, field.name, self.value(field)));
        }
        out.push('}');
    }
}

impl Refusal {
    /// How one record of many was refused.
    fn as_result(&self) -> Value {
        let error = json!({ "statusCode": self.code, "message": self.message, "fields": self.fields });
        json!({ "success": false, "errors": [error] })
    }
}

impl Condition<String> {
    /// The same with the fields of that object.
    fn of(self, object: &'static Object) -> Result<Condition<&'static Field>> {
        let field = |name: &str, literals: &[Literal]| {
            let field = object.field(name).ok_or_else(|| no_such_column(object, name, "entity"))?;
            if literals.iter().all(|literal| compares(field.kind, literal)) {
                return Ok(field);
            }
            let problem = format!("value of filter criterion for field '{name}' is of the wrong type");
            Err(Refusal::new(400, "INVALID_FIELD", problem).at(name))
        };
        let all = |conditions: Vec<Condition<String>>| {
            conditions.into_iter().map(|condition| condition.of(object)).collect::<Result<_>>()
        };
        Ok(match self {
            Condition::Compare(name, operator, literal) => {
                let field = field(&name, std::slice::from_ref(&literal))?;
                if operator == Operator::Like && !matches!(literal, Literal::Text(_)) {
                    let problem = format!("invalid operator on field '{name}'");
                    return Err(Refusal::new(400, "INVALID_QUERY_FILTER_OPERATOR", problem).at(&name));
                }
                Condition::Compare(field, operator, literal)
            }
            Condition::In(name, literals) => Condition::In(field(&name, &literals)?, literals),
            Condition::Not(condition) => Condition::Not(Box::new(condition.of(object)?)),
            Condition::All(conditions) => Condition::All(all(conditions)?),
            Condition::Any(conditions) => Condition::Any(all(conditions)?),
        })
    }
}

impl Condition<&'static Field> {
    fn holds_for(&self, row: &Row) -> bool {
        match self {
            Condition::Compare(field, operator, literal) => match (operator, literal) {
                (Operator::Like, Literal::Text(pattern)) => {
                    let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
                    row.value(field).as_str().is_some_and(|text| like(&chars(text), &chars(pattern)))
                }
                _ => operator.accepts(compare(&row.value(field), field.kind, literal)),
            },
            Condition::In(field, literals) => {
                let value = row.value(field);
                literals.iter().any(|literal| Operator::Equal.accepts(compare(&value, field.kind, literal)))
            }
            Condition::Not(condition) => !condition.holds_for(row),
            Condition::All(conditions) => conditions.iter().all(|condition| condition.holds_for(row)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.holds_for(row)),
        }
    }
}

/// Whether a text is like a pattern, in which `%` stands for any text and `_` for one character.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|start| like(&text[start..], rest)),
        [first, rest @ ..] => {
            text.first().is_some_and(|c| *first == '_' || c == first) && like(&text[1..], rest)
        }
    }
}

impl Order<&Field> {
    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let (a, b) = (a.value(self.field), b.value(self.field));
        if a.is_null() || b.is_null() {
            let nulls_first = b.is_null().cmp(&a.is_null());
            return if self.nulls_last { nulls_first.reverse() } else { nulls_first };
        }
        let ordering = match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => (a.as_str(), a.as_bool()).cmp(&(b.as_str(), b.as_bool())),
        };
        if self.descending { ordering.reverse() } else { ordering }
    }
}

impl Operator {
    /// Whether it holds for a value that compares so; `None` is neither equal, less nor greater.
    fn accepts(self, ordering: Option<Ordering>) -> bool {
        match self {
            Operator::Equal | Operator::Like => ordering == Some(Ordering::Equal),
            Operator::NotEqual => ordering != Some(Ordering::Equal),
            Operator::Less => ordering == Some(Ordering::Less),
            Operator::Greater => ordering == Some(Ordering::Greater),
            Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        }
    }
}

/// Whether a field of that kind can be held against that literal.
fn compares(kind: Kind, literal: &Literal) -> bool {
    match literal {
        Literal::Null => true,
        Literal::Boolean(_) => matches!(kind, Kind::Deleted | Kind::Boolean),
        Literal::Number(_) => matches!(kind, Kind::Integer | Kind::Currency),
        Literal::Time(_) => kind == Kind::Time,
        Literal::Text(_) => {
            !matches!(kind, Kind::Deleted | Kind::Boolean | Kind::Integer | Kind::Currency | Kind::Time)
        }
    }
}

fn compare(value: &Value, kind: Kind, literal: &Literal) -> Option<Ordering> {
    match literal {
        Literal::Null => value.is_null().then_some(Ordering::Equal),
        Literal::Boolean(literal) => Some(value.as_bool()?.cmp(literal)),
        Literal::Number(literal) => value.as_f64()?.partial_cmp(literal),
        Literal::Time(span) => Some(match text::parse_timestamp(value.as_str()?)? {
            time if time < span.start => Ordering::Less,
            time if time >= span.end => Ordering::Greater,
            _ => Ordering::Equal,
        }),
        Literal::Text(literal) if kind == Kind::Id && literal.len() == 15 => {
            Some(value.as_str()?[..15].cmp(literal))
        }
        Literal::Text(literal) => Some(value.as_str()?.cmp(literal)),
    }
}

fn object(name: &str) -> Result<&'static Object> {
    schema::object(name).filter(|object| !object.tooling).ok_or_else(Refusal::not_found)
}

/// The fields of these names, separated by commas; without names, all.
fn fields(object: &'static Object, names: Option<String>) -> Result<Vec<&'static Field>> {
    let Some(names) = names else { return Ok(object.fields.iter().collect()) };
    let field =
        |name: &str| object.field(name.trim()).ok_or_else(|| no_such_column(object, name, "sobject of type"));
    names.split(',').map(field).collect()
}

fn external_id(object: &'static Object, name: &str) -> Result<&'static Field> {
    let field = object.field(name).filter(|field| matches!(field.kind, Kind::ExternalId | Kind::Id));
    field.ok_or_else(|| {
        let problem = "Provided external ID field does not exist or is not accessible";
        Refusal::new(404, "NOT_FOUND", problem)
    })
}

/// An insert of these fields, if those are there that have to be.
fn insertion(object: &Object, fields: Map<String, Value>) -> Result<Write> {
    if fields.get(object.required).and_then(Value::as_str).is_none_or(str::is_empty) {
        let problem = format!("Required fields are missing: [{}]", object.required);
        return Err(Refusal::new(400, "REQUIRED_FIELD_MISSING", problem).about(object.required));
    }
    Ok(Write::Insert(fields))
}

/// The id among these fields, which is then no longer among them.
fn take_id(fields: &mut Map<String, Value>) -> Option<String> {
    let id = fields.keys().find(|name| name.eq_ignore_ascii_case("Id"))?.clone();
    fields.remove(&id)?.as_str().map(str::to_owned)
}

fn missing_id() -> Refusal {
    Refusal::new(400, "MISSING_ARGUMENT", "Id not specified in an update call").about("Id")
}

/// What `columns=true` asks for instead of records: the columns that they would have.
fn columns(found: &Found) -> Value {
    let column = |name: &str, field: Option<&Field>| {
        let kind = field.map(|field| field.kind);
        let writable = field.is_some_and(Field::writable);
        json!({
            "aggregate": field.is_none(),
            "apexType": kind.map_or("Integer", Kind::apex_type),
            "booleanType": matches!(kind, Some(Kind::Boolean | Kind::Deleted)),
            "columnName": name,
            "custom": name.ends_with("__c"),
            "displayName": name,
            "foreignKeyName": null,
            "insertable": writable,
            "joinColumns": [],
            "numberType": matches!(kind, None | Some(Kind::Integer | Kind::Currency)),
            "textType": kind.is_some_and(|kind| kind.apex_type() == "String"),
            "updatable": writable,
        })
    };
    let columns: Vec<Value> = match &found.selected {
        Selected::Fields(fields) => fields.iter().map(|field| column(field.name, Some(field))).collect(),
        Selected::Count => Vec::new(),
        Selected::CountOf(_, alias) => vec![column(alias, None)],
    };
    let id_selected = columns.iter().any(|column| column["columnName"] == "Id");
    json!({
        "columnMetadata": columns,
        "entityName": found.object.name,
        "groupBy": false,
        "idSelected": id_selected,
        "keyPrefix": found.object.prefix,
    })
}

fn no_such_object(name: &str) -> Refusal {
    Refusal::new(400, "INVALID_TYPE", format!("sObject type '{name}' is not supported.")).at(name)
}

fn no_such_column(object: &Object, name: &str, of: &str) -> Refusal {
    let problem = format!(
        "No such column '{name}' on {of} '{}'. If you are attempting to use a custom field, be sure to \
         append the '__c' after the custom field name. Please reference your WSDL or the describe call \
         for the appropriate names.",
        object.name
    );
    Refusal::new(400, "INVALID_FIELD", problem).at(name)
}

fn json_body(request: &Request) -> Result<Map<String, Value>> {
    let media_type = request.header("content-type").unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let problem = format!("Content-Type header specified in HTTP request is not supported: {media_type}");
        return Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", problem));
    }
    serde_json::from_slice(&request.body)
        .map_err(|problem| Refusal::new(400, "JSON_PARSER_ERROR", problem.to_string()))
}

/// These fields under their proper names, if a client may set them so.
fn writable(object: &Object, body: Map<String, Value>) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    for (name, value) in body {
        // Records may be sent back as they came.
        if name == "attributes" {
            continue;
        }
        let field = object.field(&name).ok_or_else(|| no_such_column(object, &name, "sobject of type"))?;
        if !field.writable() {
            let problem = format!(
                "Unable to create/update fields: {name}. Please check the security settings of this \
                 field and verify that it is read/write for your profile or permission set."
            );
            return Err(Refusal::new(400, "INVALID_FIELD_FOR_INSERT_UPDATE", problem).about(field.name));
        }
        if !field.takes(&value) {
            let problem = format!("Cannot deserialize the value of {name}");
            return Err(Refusal::new(400, "JSON_PARSER_ERROR", problem));
        }
        fields.insert(field.name.to_owned(), value);
    }
    Ok(fields)
}

fn resources(base: &str) -> Answer {
    let names = ["composite", "jobs", "limits", "query", "queryAll", "sobjects", "tooling"];
    let urls = names.map(|name| (name.to_owned(), Value::from(format!("{base}/{name}"))));
    Answer::json(200, Value::Object(urls.into_iter().collect()))
}

/// What came, as an Apex class that returns its request would have it.
fn echo(request: &Request, path: &str) -> Answer {
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let came = json!({
        "method": request.method,
        "path": path,
        "query": request.query,
        "headers": headers.collect::<Map<_, _>>(),
        "body": String::from_utf8_lossy(&request.body),
    });
    Answer::json(200, came)
}
