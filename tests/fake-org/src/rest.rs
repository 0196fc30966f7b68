//! The REST API, for those who are logged in: records, queries, bulk jobs.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

use crate::schema::{self, Field, Kind, Object};
use crate::soql::{self, Literal, Operator};
use crate::{Answer, Request, Setup, USER_ID, text};

const OLDEST_VERSION: u32 = 31;
const NEWEST_VERSION: u32 = 68;

/// API requests in a day, of which nothing is said when they are exceeded.
const DAILY_REQUESTS: usize = 15_000;

/// How many paged queries are kept; the oldest makes way for a new one.
const CURSORS_MAX: usize = 64;

/// Why a request of the API is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    fields: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), fields: Vec::new() }
    }

    fn not_found() -> Refusal {
        Refusal::new(404, "NOT_FOUND", "The requested resource does not exist")
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
#[derive(Default)]
pub(crate) struct Rest {
    tables: HashMap<&'static str, Table>,
    cursors: VecDeque<(String, Found)>,
    jobs: HashMap<String, Job>,
    /// How many cursors and jobs there have been, for their ids.
    made: usize,
    calls: usize,
}

/// The records of one object. None is ever taken out, so that a number stays good for its record.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
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
    /// None for `COUNT()`.
    fields: Option<Vec<&'static Field>>,
    rows: Vec<usize>,
}

struct Job {
    operation: &'static str,
    found: Found,
    polls_left: usize,
    aborted: bool,
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
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
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
            ("POST", ["sobjects", name]) => self.insert(call, object(name)?),
            ("GET", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id)?;
                self.read(call, object, row)
            }
            ("PATCH", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id)?;
                let fields = writable(object, json_body(call.request)?)?;
                self.table(object).update(row, fields);
                Ok(Answer::new(204))
            }
            ("DELETE", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id)?;
                self.table(object).rows[row].deleted = true;
                Ok(Answer::new(204))
            }
            ("GET", ["sobjects", name, field, value]) => {
                let object = object(name)?;
                match self.with_external_id(object, field, value)?[..] {
                    [] => Err(Refusal::not_found()),
                    [row] => self.read(call, object, row),
                    ref rows => Ok(self.choices(call, object, rows)),
                }
            }
            ("PATCH", ["sobjects", name, field, value]) => self.upsert(call, object(name)?, field, value),
            ("GET", ["query" | "queryAll"] | ["tooling", "query"]) => self.query(call, segments),
            ("GET", ["query" | "queryAll", at] | ["tooling", "query", at]) => {
                let resource = segments[..segments.len() - 1].join("/");
                self.next_page(call, &resource, at)
            }
            ("POST", ["jobs", "query"]) => self.new_job(call),
            (_, ["jobs", "query", id, rest @ ..]) => self.job(call, id, rest),
            (_, ["query" | "queryAll" | "limits" | "sobjects" | "jobs", ..]) => {
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
                "DailyBulkV2QueryJobs": limit(10_000, self.jobs.len()),
                "DataStorageMB": limit(5, 0),
                "SingleEmail": limit(15, 0),
            }),
        )
    }

    // Records.

    fn table(&mut self, object: &'static Object) -> &mut Table {
        self.tables.entry(object.name).or_default()
    }

    /// The number of the record with that id.
    fn find(&mut self, object: &'static Object, id: &str) -> Result<usize> {
        let id = match id.len() {
            // The longer form of our ids, none of which has a capital letter.
            15 => format!("{id}AAA"),
            18 => id.to_owned(),
            _ => {
                return Err(Refusal::new(400, "MALFORMED_ID", format!("malformed id {id}")));
            }
        };
        let table = self.table(object);
        let row = table.by_id.get(&id).copied().filter(|row| !table.rows[*row].deleted);
        row.ok_or_else(Refusal::not_found)
    }

    fn with_external_id(&mut self, object: &'static Object, field: &str, value: &str) -> Result<Vec<usize>> {
        let field = object.field(field).filter(|field| matches!(field.kind, Kind::ExternalId | Kind::Id));
        let field = field.ok_or_else(|| {
            let problem = "Provided external ID field does not exist or is not accessible";
            Refusal::new(404, "NOT_FOUND", problem)
        })?;
        let rows = self.table(object).rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| !row.deleted && row.value(field) == value);
        Ok(rows.map(|(number, _)| number).collect())
    }

    fn insert(&mut self, call: &Call, object: &'static Object) -> Result {
        let fields = writable(object, json_body(call.request)?)?;
        let id = self.insert_checked(object, fields)?;
        Ok(Answer::json(201, json!({ "id": id, "success": true, "errors": [] })))
    }

    fn insert_checked(&mut self, object: &'static Object, fields: Map<String, Value>) -> Result<String> {
        if fields.get(object.required).and_then(Value::as_str).is_none_or(str::is_empty) {
            let problem = format!("Required fields are missing: [{}]", object.required);
            return Err(Refusal::new(400, "REQUIRED_FIELD_MISSING", problem).about(object.required));
        }
        Ok(self.table(object).insert(object, fields))
    }

    /// Updates the record with that external id, or makes it.
    fn upsert(&mut self, call: &Call, object: &'static Object, field: &str, value: &str) -> Result {
        let mut fields = writable(object, json_body(call.request)?)?;
        let rows = self.with_external_id(object, field, value)?;
        let created = rows.is_empty();
        let id = match rows[..] {
            [] => {
                let field = object.field(field).expect("BUG: an external id that is no field");
                fields.insert(field.name.to_owned(), value.into());
                self.insert_checked(object, fields)?
            }
            [row] => {
                self.table(object).update(row, fields);
                self.table(object).rows[row].id.clone()
            }
            _ => return Ok(self.choices(call, object, &rows)),
        };
        let status = match (created, call.version) {
            (true, _) => 201,
            (false, 46..) => 200,
            (false, _) => return Ok(Answer::new(204)),
        };
        let reply = json!({ "id": id, "success": true, "errors": [], "created": created });
        Ok(Answer::json(status, reply))
    }

    /// More than one record has that external id: here they are.
    fn choices(&mut self, call: &Call, object: &'static Object, rows: &[usize]) -> Answer {
        let table = self.table(object);
        let url = |row: &usize| format!("{}/sobjects/{}/{}", call.base, object.name, table.rows[*row].id);
        Answer::json(300, json!(rows.iter().map(url).collect::<Vec<_>>()))
    }

    fn read(&mut self, call: &Call, object: &'static Object, row: usize) -> Result {
        let fields = match call.request.param("fields") {
            None => object.fields.iter().collect(),
            Some(names) => {
                let fields = names.split(',').map(|name| {
                    let problem = || no_such_column(object, name, "sobject of type");
                    object.field(name.trim()).ok_or_else(problem)
                });
                fields.collect::<Result<Vec<_>>>()?
            }
        };
        let mut record = String::new();
        self.table(object).rows[row].write_json(&mut record, object, &fields, &call.base);
        Ok(Answer::json(200, record))
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
        if found.rows.len() > call.setup.page_size && found.fields.is_some() {
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
        let mut page = format!(r#"{{"totalSize":{}"#, found.rows.len());
        let fields = found.fields.as_deref();
        let end = found.rows.len().min(offset.saturating_add(call.setup.page_size.max(1)));
        let done = end == found.rows.len() || fields.is_none();
        let mut put = |part: std::fmt::Arguments| page.write_fmt(part).expect("BUG: a String is full");
        put(format_args!(r#","done":{done}"#));
        if !done {
            put(format_args!(r#","nextRecordsUrl":"{}/{resource}/{cursor}-{end}""#, call.base));
        }
        page.push_str(r#","records":["#);
        if let (Some(fields), Some(table)) = (fields, self.tables.get(found.object.name)) {
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
        let query = soql::parse(soql).map_err(|problem| Refusal::new(400, "MALFORMED_QUERY", problem))?;
        let object = schema::object(&query.object).filter(|object| object.tooling == tooling);
        let object = object.ok_or_else(|| {
            let problem = format!("sObject type '{}' is not supported.", query.object);
            Refusal::new(400, "INVALID_TYPE", problem)
        })?;
        let field = |name: &String| object.field(name).ok_or_else(|| no_such_column(object, name, "entity"));
        let fields = query.fields.map(|names| names.iter().map(field).collect::<Result<Vec<_>>>());
        let fields = fields.transpose()?;
        let mut conditions = Vec::new();
        for (name, operator, literal) in &query.conditions {
            let field = field(name)?;
            if !compares(field.kind, literal) {
                let problem = format!("value of filter criterion for field '{name}' is of the wrong type");
                return Err(Refusal::new(400, "INVALID_FIELD", problem));
            }
            conditions.push((field, *operator, literal));
        }
        let rows = self.table(object).rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| deleted_too || !row.deleted);
        let rows = rows.filter(|(_, row)| {
            conditions.iter().all(|(field, operator, literal)| {
                operator.accepts(compare(&row.value(field), field.kind, literal))
            })
        });
        let rows = rows.map(|(number, _)| number).take(query.limit.unwrap_or(usize::MAX)).collect();
        Ok(Found { object, fields, rows })
    }

    // Bulk API 2.0.

    fn new_job(&mut self, call: &Call) -> Result {
        let body = json_body(call.request)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let operation = match text("operation") {
            "query" => "query",
            "queryAll" => "queryAll",
            _ => {
                return Err(Refusal::new(400, "INVALIDJOB", "operation must be query or queryAll"));
            }
        };
        let found = self.search(text("query"), false, operation == "queryAll")?;
        if found.fields.is_none() {
            return Err(Refusal::new(400, "INVALIDJOB", "COUNT() is not supported in a bulk query"));
        }
        self.made += 1;
        let id = format!("7505g0{:09}AAA", self.made);
        let job = Job { operation, found, polls_left: call.setup.bulk_polls, aborted: false };
        let answer = Answer::json(200, job.describe(&id, "UploadComplete", call));
        self.jobs.insert(id, job);
        Ok(answer)
    }

    fn job(&mut self, call: &Call, id: &str, rest: &[&str]) -> Result {
        let job = self.jobs.get_mut(id).ok_or_else(Refusal::not_found)?;
        match (call.request.method.as_str(), rest) {
            ("GET", []) => {
                let state = job.state(call.setup);
                job.polls_left = job.polls_left.saturating_sub(1);
                Ok(Answer::json(200, job.describe(id, state, call)))
            }
            ("GET", ["results"]) => {
                let state = job.state(call.setup);
                if state != "JobComplete" {
                    let problem = format!("results are not available while the job is {state}");
                    return Err(Refusal::new(400, "INVALIDJOBSTATE", problem));
                }
                let table = self.tables.get(job.found.object.name);
                job.results(table.map_or(&[], |table| table.rows.as_slice()), call)
            }
            ("PATCH", []) if json_body(call.request)?.get("state") == Some(&json!("Aborted")) => {
                job.aborted = true;
                Ok(Answer::json(200, job.describe(id, "Aborted", call)))
            }
            ("DELETE", []) => {
                self.jobs.remove(id);
                Ok(Answer::new(204))
            }
            _ => Err(Refusal::not_found()),
        }
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

    pub(crate) fn create(&mut self, name: &str, fields: Map<String, Value>) -> String {
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
        let id = format!("{}5g0{:09}AAA", object.prefix, self.rows.len() + 1);
        let now = text::timestamp(text::now());
        fields.insert("Id".to_owned(), id.clone().into());
        for time in ["CreatedDate", "LastModifiedDate"] {
            fields.entry(time).or_insert_with(|| now.clone().into());
        }
        self.by_id.insert(id.clone(), self.rows.len());
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

impl Job {
    fn state(&self, setup: &Setup) -> &'static str {
        match (self.aborted, self.polls_left, setup.bulk_fails) {
            (true, ..) => "Aborted",
            (_, 1.., _) => "InProgress",
            (_, 0, true) => "Failed",
            (_, 0, false) => "JobComplete",
        }
    }

    fn describe(&self, id: &str, state: &str, call: &Call) -> Value {
        let mut job = json!({
            "id": id,
            "operation": self.operation,
            "object": self.found.object.name,
            "createdById": USER_ID,
            "createdDate": text::timestamp(text::now()),
            "systemModstamp": text::timestamp(text::now()),
            "state": state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": f64::from(call.version),
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        });
        match state {
            "JobComplete" => job["numberRecordsProcessed"] = self.found.rows.len().into(),
            "Failed" => job["errorMessage"] = "InternalServerError : the job failed".into(),
            _ => {}
        }
        job
    }

    /// One page of the CSV.
    fn results(&self, rows: &[Row], call: &Call) -> Result {
        let found = &self.found.rows;
        let fields = self.found.fields.as_deref().unwrap_or_default();
        let bad = |name: &str| Refusal::new(400, "INVALIDPARAMETER", format!("invalid {name}"));
        let start = match call.request.param("locator") {
            None => Some(0),
            Some(locator) => BASE64_STANDARD_NO_PAD
                .decode(locator)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok()),
        };
        let start: usize = start.filter(|s| *s == 0 || *s < found.len()).ok_or_else(|| bad("locator"))?;
        let most: usize = match call.request.param("maxRecords") {
            None => found.len(),
            Some(most) => most.parse().ok().filter(|m| *m > 0).ok_or_else(|| bad("maxRecords"))?,
        };
        let end = found.len().min(start.saturating_add(most));
        let mut csv = String::new();
        csv_line(&mut csv, fields.iter().map(|field| field.name.to_owned()));
        for row in &found[start..end] {
            csv_line(
                &mut csv,
                fields.iter().map(|field| match rows[*row].value(field) {
                    Value::Null => String::new(),
                    Value::String(text) => text,
                    other => other.to_string(),
                }),
            );
        }
        let locator = if end < found.len() {
            BASE64_STANDARD_NO_PAD.encode(end.to_string())
        } else {
            "null".to_owned()
        };
        Ok(Answer::new(200)
            .header("Content-Type", "text/csv")
            .header("Sforce-Locator", locator)
            .header("Sforce-NumberOfRecords", (end - start).to_string())
            .body(csv)
            .chunked())
    }
}

impl Operator {
    /// Whether it holds for a value that compares so; `None` is neither equal, less nor greater.
    fn accepts(self, ordering: Option<Ordering>) -> bool {
        match self {
            Operator::Equal => ordering == Some(Ordering::Equal),
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
        Literal::Boolean(_) => kind == Kind::Deleted,
        Literal::Number(_) => matches!(kind, Kind::Integer | Kind::Currency),
        Literal::Time(_) => kind == Kind::Time,
        Literal::Text(_) => !matches!(kind, Kind::Deleted | Kind::Integer | Kind::Currency | Kind::Time),
    }
}

fn compare(value: &Value, kind: Kind, literal: &Literal) -> Option<Ordering> {
    match literal {
        Literal::Null => value.is_null().then_some(Ordering::Equal),
        Literal::Boolean(literal) => Some(value.as_bool()?.cmp(literal)),
        Literal::Number(literal) => value.as_f64()?.partial_cmp(literal),
        Literal::Time(literal) => Some(text::parse_timestamp(value.as_str()?)?.cmp(literal)),
        Literal::Text(literal) if kind == Kind::Id && literal.len() == 15 => {
            Some(value.as_str()?[..15].cmp(literal))
        }
        Literal::Text(literal) => Some(value.as_str()?.cmp(literal)),
    }
}

fn object(name: &str) -> Result<&'static Object> {
    schema::object(name).filter(|object| !object.tooling).ok_or_else(Refusal::not_found)
}

fn no_such_column(object: &Object, name: &str, of: &str) -> Refusal {
    let problem = format!(
        "No such column '{name}' on {of} '{}'. If you are attempting to use a custom field, be sure to \
         append the '__c' after the custom field name. Please reference your WSDL or the describe call \
         for the appropriate names.",
        object.name
    );
    Refusal::new(400, "INVALID_FIELD", problem)
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
    let names = ["jobs", "limits", "query", "queryAll", "sobjects", "tooling"];
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

fn csv_line(out: &mut String, values: impl Iterator<Item = String>) {
    for (index, value) in values.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        out.push_str(comma);
        out.push('"');
        out.push_str(&value.replace('"', "\"\""));
        out.push('"');
    }
    out.push('\n');
}
