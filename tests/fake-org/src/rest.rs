//! The REST API, for those who are logged in: records, queries, bulk jobs.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value, json};

use crate::schema::{self, Kind, Object};
use crate::{Answer, ORG_ID, Request, SITE_USER_ID, SITE_USERNAME, Setup, USER_ID, USERNAME, text};

mod bulk;
mod condition;
mod query;
mod records;
mod refusal;
mod table;

pub(crate) use refusal::Refusal;

use query::Found;
use records::{Write, external_id, insertion, object, writable};
use table::Table;

const OLDEST_VERSION: u32 = 31;
const NEWEST_VERSION: u32 = 68;

/// API requests in a day, of which nothing is said when they are exceeded.
const DAILY_REQUESTS: usize = 15_000;

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

/// Where in the API a request went to.
struct Call<'a> {
    request: &'a Request,
    setup: &'a Setup,
    /// The user whose entries alone Login History shows; `None` is an administrator.
    viewer: Option<&'static str>,
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
            let user = json!({ "Id": id, "Username": username, "Name": name });
            rest.create("User", user);
        }
        rest
    }

    /// What the API says to a request from someone who is logged in.
    pub(crate) fn respond(
        &mut self,
        request: &Request,
        path: &str,
        setup: &Setup,
        viewer: Option<&'static str>,
    ) -> Result {
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
        let call = Call { request, setup, viewer, base, version: number };
        let segments: Result<Vec<String>, String> =
            path.split('/').map(|segment| text::unescape(segment.as_bytes(), false)).collect();
        let segments = segments.map_err(|problem| Refusal::new(400, "BAD_REQUEST", problem))?;
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // `query/?q=` is as good as `query?q=`.
        if segments.len() > 1 && segments.last() == Some(&"") {
            segments.pop();
        }
        Ok(self.route(&call, &segments)?.header("Sforce-Limit-Info", usage))
    }

    fn route(&mut self, call: &Call, segments: &[&str]) -> Result {
        let method = call.request.method.as_str();
        match (if method == "HEAD" { "GET" } else { method }, segments) {
            ("GET", ["limits"]) => Ok(self.limits()),
            ("GET", ["sobjects", name, "describe"]) => Ok(Answer::json(200, object(name)?.describe())),
            ("POST", ["sobjects", name]) => {
                let object = object(name)?;
                let write = insertion(object, writable(object, json_body(call.request)?)?)?;
                let mut reply = self.write(object, write);
                reply.as_object_mut().map(|reply| reply.remove("created"));
                Ok(Answer::json(201, reply))
            }
            ("GET", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id, Refusal::not_found)?;
                self.read(call, object, row)
            }
            ("PATCH", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id, Refusal::deleted)?;
                let fields = writable(object, json_body(call.request)?)?;
                self.write(object, Write::Update(row, fields));
                Ok(Answer::new(204))
            }
            ("DELETE", ["sobjects", name, id]) => {
                let object = object(name)?;
                let row = self.find(object, id, Refusal::deleted)?;
                self.table(object).rows[row].deleted = true;
                Ok(Answer::new(204))
            }
            ("GET", ["sobjects", name, field, value]) => {
                let object = object(name)?;
                let rows = self.rows_with(object, external_id(object, field)?, value);
                self.read(call, object, *rows.first().ok_or_else(Refusal::not_found)?)
            }
            ("PATCH", ["sobjects", name, field, value]) => self.upsert(call, object(name)?, field, value),
            ("PATCH", ["composite", "sobjects", name, field]) => self.upsert_all(call, object(name)?, field),
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

    fn table(&mut self, object: &'static Object) -> &mut Table {
        self.tables.entry(object.name).or_default()
    }

    pub(crate) fn seed_accounts(&mut self, count: usize) {
        const START: i64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z
        let account = schema::object("Account").expect("BUG: no accounts");
        let Kind::Picklist(industries) = account.field("Industry").expect("BUG: no industry").kind else {
            unreachable!("Industry is a picklist")
        };
        let first = self.table(account).rows.len() + 1;
        for number in first..first + count {
            let time = text::timestamp(START + i64::try_from(number).unwrap_or(0) * 60_000);
            let account = json!({
                "Name": format!("Account {number:05}"),
                "External_Id__c": format!("EXT-{number:05}"),
                "Industry": industries[number % industries.len()],
                "NumberOfEmployees": number,
                "CreatedDate": time,
                "LastModifiedDate": time,
            });
            self.create("Account", account);
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

fn json_body(request: &Request) -> Result<Map<String, Value>> {
    let media_type = request.header("content-type").unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let problem = format!("Content-Type header specified in HTTP request is not supported: {media_type}");
        return Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", problem));
    }
    serde_json::from_slice(&request.body)
        .map_err(|problem| Refusal::new(400, "JSON_PARSER_ERROR", problem.to_string()))
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
