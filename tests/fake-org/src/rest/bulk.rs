//! Bulk API 2.0: queries whose results are CSV, and writes of the rows of a CSV.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

use super::records::{external_id, object};
use super::refusal::{Refusal, no_such_object};
use super::table::Row;
use super::{Call, Rest, Result, json_body};
use crate::schema::{Field, Kind, Object};
use crate::soql::Selected;
use crate::{Answer, Setup};

/// How often a job is still in progress when it is asked for.
const POLLS: usize = 1;

pub(super) struct Job {
    operation: String,
    object: &'static Object,
    work: Work,
    polls_left: usize,
}

enum Work {
    Query { fields: Vec<&'static Field>, rows: Vec<usize> },
    Ingest(Ingest),
}

struct Ingest {
    /// The field by which records are upserted.
    key: &'static Field,
    crlf: bool,
    csv: Option<String>,
    /// What became of the rows, or why nothing did, once the upload was complete.
    outcome: Option<Result<Outcome, String>>,
}

#[derive(Default)]
struct Outcome {
    columns: Vec<String>,
    successful: usize,
    /// Rows with their id, of which none is known, and the error before the columns.
    failed: Vec<Vec<String>>,
}

impl Rest {
    pub(super) fn new_query_job(&mut self, call: &Call) -> Result {
        let body = json_body(call.request)?;
        let operation = member(&body, "operation");
        if !matches!(operation, "query" | "queryAll") {
            return Err(Refusal::new(400, "INVALIDJOB", "operation must be query or queryAll"));
        }
        let found = self.search(call, member(&body, "query"), false, operation == "queryAll")?;
        let Selected::Fields(fields) = found.selected else {
            return Err(Refusal::new(400, "INVALIDJOB", "only fields can be selected in a bulk query"));
        };
        let work = Work::Query { fields, rows: found.rows };
        Ok(self.new_job(call, operation, found.object, work))
    }

    pub(super) fn new_ingest_job(&mut self, call: &Call) -> Result {
        let body = json_body(call.request)?;
        let invalid = |problem: String| Err(Refusal::new(400, "INVALIDJOB", problem));
        let operation = member(&body, "operation");
        if operation != "upsert" {
            return invalid(format!("operation {operation} is not supported here"));
        }
        let name = member(&body, "object");
        let object = object(name).map_err(|_| no_such_object(name))?;
        let key = external_id(object, member(&body, "externalIdFieldName"))?;
        for (name, supported) in
            [("contentType", &["CSV"][..]), ("columnDelimiter", &["COMMA"]), ("lineEnding", &["LF", "CRLF"])]
        {
            let value = member(&body, name);
            if !value.is_empty() && !supported.contains(&value) {
                return invalid(format!("{name} {value} is not supported"));
            }
        }
        let crlf = member(&body, "lineEnding") == "CRLF";
        let work = Work::Ingest(Ingest { key, crlf, csv: None, outcome: None });
        Ok(self.new_job(call, operation, object, work))
    }

    fn new_job(&mut self, call: &Call, operation: &str, object: &'static Object, work: Work) -> Answer {
        self.made += 1;
        let id = format!("7505g0{:09}AAA", self.made);
        let (kind, state) = match work {
            Work::Query { .. } => ("query", "UploadComplete"),
            Work::Ingest(_) => ("ingest", "Open"),
        };
        let job = Job { operation: operation.to_owned(), object, work, polls_left: POLLS };
        let answer = Answer::json(200, job.describe(&id, state, call));
        self.jobs.insert(format!("{kind}/{id}"), job);
        answer
    }

    pub(super) fn job(&mut self, call: &Call, kind: &str, id: &str, rest: &[&str]) -> Result {
        let key = format!("{kind}/{id}");
        // Out of the map, because its rows are written to the tables beside it.
        let mut job = self.jobs.remove(&key).ok_or_else(Refusal::not_found)?;
        let answer = self.respond_for(&mut job, call, id, rest);
        self.jobs.insert(key, job);
        answer
    }

    fn respond_for(&mut self, job: &mut Job, call: &Call, id: &str, rest: &[&str]) -> Result {
        let state = job.state(call.setup);
        let wrong_state =
            || Refusal::new(400, "INVALIDJOBSTATE", format!("not possible while the job is {state}"));
        match (call.request.method.as_str(), rest, &mut job.work) {
            ("GET", [], _) => {
                let answer = Answer::json(200, job.describe(id, state, call));
                if state == "InProgress" {
                    job.polls_left -= 1;
                }
                Ok(answer)
            }
            ("GET", ["results"], Work::Query { fields, rows }) => {
                if state != "JobComplete" {
                    return Err(wrong_state());
                }
                let table = self.tables.get(job.object.name);
                results(fields, rows, table.map_or(&[], |table| table.rows.as_slice()), call)
            }
            ("PUT", ["batches"], Work::Ingest(ingest)) => {
                if state != "Open" || ingest.csv.is_some() {
                    return Err(wrong_state());
                }
                let media_type = call.request.header("content-type").unwrap_or_default();
                if media_type.split(';').next().unwrap_or_default().trim() != "text/csv" {
                    return Err(Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", "the data must be text/csv"));
                }
                let csv = String::from_utf8(call.request.body.clone());
                ingest.csv =
                    Some(csv.map_err(|_| Refusal::new(400, "INVALIDBATCH", "the data are not UTF-8"))?);
                Ok(Answer::new(201))
            }
            ("GET", ["failedResults"], Work::Ingest(ingest)) => {
                let Some(Ok(outcome)) = ingest.outcome.as_ref().filter(|_| state == "JobComplete") else {
                    return Err(wrong_state());
                };
                let mut csv = String::new();
                let columns = outcome.columns.iter().map(String::as_str);
                write_row(&mut csv, ["sf__Id", "sf__Error"].into_iter().chain(columns));
                for row in &outcome.failed {
                    write_row(&mut csv, row.iter());
                }
                Ok(Answer::new(200).header("Content-Type", "text/csv").body(csv))
            }
            ("PATCH", [], Work::Ingest(ingest)) => {
                if state != "Open" || member(&json_body(call.request)?, "state") != "UploadComplete" {
                    return Err(wrong_state());
                }
                // A job that is to fail has no effect.
                ingest.outcome = Some(if call.setup.bulk_fails {
                    Ok(Outcome::default())
                } else {
                    self.ingest(job.object, ingest)
                });
                Ok(Answer::json(200, job.describe(id, "UploadComplete", call)))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    /// Writes the rows of a job; an error is one of the job as a whole.
    fn ingest(&mut self, object: &'static Object, ingest: &Ingest) -> Result<Outcome, String> {
        let csv = ingest.csv.as_deref().unwrap_or_default();
        if csv.lines().next().is_some()
            && ingest.crlf != csv.split('\n').next().unwrap_or_default().ends_with('\r')
        {
            let ending = if ingest.crlf { "CRLF" } else { "LF" };
            return Err(format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}"
            ));
        }
        let mut rows = read_rows(csv)?.into_iter();
        let mut outcome = Outcome { columns: rows.next().unwrap_or_default(), ..Outcome::default() };
        let mut fields = Vec::new();
        for column in &outcome.columns {
            let field = object.field(column);
            fields.push(field.ok_or_else(|| format!("InvalidBatch : Field name not found : {column}"))?);
        }
        for row in rows {
            if row.len() != fields.len() {
                return Err("InvalidBatch : a row has more or fewer columns than the header".to_owned());
            }
            match self.ingest_row(object, ingest.key, &fields, &row) {
                Ok(_) => outcome.successful += 1,
                Err(Refusal { code, message, fields, .. }) => {
                    let problem = format!("{code}:{message}:{} --", fields.join(","));
                    outcome.failed.push([String::new(), problem].into_iter().chain(row).collect());
                }
            }
        }
        Ok(outcome)
    }

    fn ingest_row(
        &mut self,
        object: &'static Object,
        key: &'static Field,
        fields: &[&Field],
        row: &[String],
    ) -> Result<Value> {
        let mut body = Map::new();
        for (field, text) in fields.iter().zip(row) {
            // An empty value leaves a field as it is.
            if !text.is_empty() {
                body.insert(field.name.to_owned(), typed(field, text)?);
            }
        }
        let write = self.upsertion(object, key, body)?;
        Ok(self.write(object, write))
    }
}

impl Job {
    fn state(&self, setup: &Setup) -> &'static str {
        let outcome = match &self.work {
            Work::Query { .. } => None,
            Work::Ingest(ingest) => Some(ingest.outcome.as_ref()),
        };
        match outcome {
            Some(None) => "Open",
            _ if self.polls_left > 0 => "InProgress",
            Some(Some(Err(_))) => "Failed",
            _ if setup.bulk_fails => "Failed",
            _ => "JobComplete",
        }
    }

    fn describe(&self, id: &str, state: &str, call: &Call) -> Value {
        let mut job = json!({
            "id": id,
            "operation": self.operation,
            "object": self.object.name,
            "state": state,
            "contentType": "CSV",
            "apiVersion": f64::from(call.version),
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        });
        if state == "Failed" {
            job["errorMessage"] = "InternalServerError : the job failed".into();
        }
        match &self.work {
            Work::Query { rows, .. } if state == "JobComplete" => {
                job["numberRecordsProcessed"] = rows.len().into();
            }
            Work::Query { .. } => {}
            Work::Ingest(ingest) => {
                if ingest.crlf {
                    job["lineEnding"] = "CRLF".into();
                }
                job["externalIdFieldName"] = ingest.key.name.into();
                if state == "Open" {
                    let base = call.base.trim_start_matches('/');
                    job["contentUrl"] = format!("{base}/jobs/ingest/{id}/batches").into();
                }
                let (successful, failed) = match &ingest.outcome {
                    Some(Ok(outcome)) if state == "JobComplete" => (outcome.successful, outcome.failed.len()),
                    Some(Err(problem)) if state == "Failed" => {
                        job["errorMessage"] = problem.as_str().into();
                        (0, 0)
                    }
                    _ => (0, 0),
                };
                job["numberRecordsProcessed"] = (successful + failed).into();
                job["numberRecordsFailed"] = failed.into();
            }
        }
        job
    }
}

/// One page of the results of a query.
fn results(fields: &[&Field], found: &[usize], rows: &[Row], call: &Call) -> Result {
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
    write_row(&mut csv, fields.iter().map(|field| field.name));
    for row in &found[start..end] {
        let values = fields.iter().map(|field| match rows[*row].value(field) {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        });
        write_row(&mut csv, values);
    }
    let locator =
        if end < found.len() { BASE64_STANDARD_NO_PAD.encode(end.to_string()) } else { "null".to_owned() };
    Ok(Answer::new(200)
        .header("Content-Type", "text/csv")
        .header("Sforce-Locator", locator)
        .header("Sforce-NumberOfRecords", (end - start).to_string())
        .body(csv)
        .chunked())
}

fn member<'a>(body: &'a Map<String, Value>, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What a field makes of the text in a CSV.
fn typed(field: &Field, text: &str) -> Result<Value> {
    let value = match field.kind {
        _ if text == "#N/A" => Some(Value::Null),
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean | Kind::Deleted => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::from),
        _ => Some(text.into()),
    };
    value.ok_or_else(|| {
        let problem = format!("{}: value not of required type: {text}", field.name);
        Refusal::new(400, "INVALID_TYPE_ON_FIELD_IN_RECORD", problem).about(field.name)
    })
}

fn write_row(out: &mut String, values: impl Iterator<Item = impl AsRef<str>>) {
    for (index, value) in values.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        out.push_str(comma);
        out.push('"');
        out.push_str(&value.as_ref().replace('"', "\"\""));
        out.push('"');
    }
    out.push('\n');
}

/// The rows of a CSV, its header the first.
fn read_rows(csv: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut value) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => value.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut value)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut value));
                rows.push(std::mem::take(&mut row));
            }
            c => value.push(c),
        }
    }
    if quoted {
        return Err("InvalidBatch : a quoted value without its end".to_owned());
    }
    if !row.is_empty() || !value.is_empty() {
        row.push(value);
        rows.push(row);
    }
    Ok(rows)
}
