//! Records: made, read, changed and upserted, one by one and 200 in a request.

use serde_json::{Map, Value, json};

use super::refusal::{Refusal, no_such_column, no_such_object};
use super::{Call, Rest, Result, json_body};
use crate::Answer;
use crate::schema::{self, Field, Kind, Object, Reach};

/// How many records a request to `composite/sobjects` may have.
const COLLECTION_MAX: usize = 200;

/// A write that nothing is wrong with.
pub(super) enum Write {
    Insert(Map<String, Value>),
    Update(usize, Map<String, Value>),
}

impl Rest {
    /// The number of the record with that id; `deleted` is what is said of one that was deleted.
    pub(super) fn find(
        &mut self,
        object: &'static Object,
        id: &str,
        deleted: fn() -> Refusal,
    ) -> Result<usize> {
        if !matches!(id.len(), 15 | 18) || !id.is_ascii() {
            return Err(Refusal::new(400, "MALFORMED_ID", format!("malformed id {id}")));
        }
        let table = self.table(object);
        let row = table.by_id.get(&id[..15]).copied();
        let row = row.filter(|row| table.rows[*row].id.starts_with(id)).ok_or_else(Refusal::not_found)?;
        if table.rows[row].deleted { Err(deleted()) } else { Ok(row) }
    }

    pub(super) fn rows_with(&mut self, object: &'static Object, field: &Field, value: &str) -> Vec<usize> {
        let rows = self.table(object).rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| !row.deleted && row.value(field) == value);
        rows.map(|(number, _)| number).collect()
    }

    /// An update of the record that has the same external id as these fields, or else an insert.
    pub(super) fn upsertion(
        &mut self,
        object: &'static Object,
        key: &'static Field,
        body: Map<String, Value>,
    ) -> Result<Write> {
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

    /// What is said of the record that was written.
    pub(super) fn write(&mut self, object: &'static Object, write: Write) -> Value {
        let table = self.table(object);
        let (id, created) = match write {
            Write::Insert(fields) => (table.insert(object, fields), true),
            Write::Update(row, fields) => (table.update(row, fields), false),
        };
        json!({ "id": id, "success": true, "errors": [], "created": created })
    }

    /// Updates the record with that external id, or makes it.
    pub(super) fn upsert(&mut self, call: &Call, object: &'static Object, key: &str, value: &str) -> Result {
        let key = external_id(object, key)?;
        let mut body = json_body(call.request)?;
        if body.insert(key.name.to_owned(), value.into()).is_some() {
            let problem = format!("The {} field should not be specified in the sobject data.", key.name);
            return Err(Refusal::new(400, "INVALID_FIELD", problem));
        }
        let write = self.upsertion(object, key, body)?;
        let reply = self.write(object, write);
        let status = if reply["created"] == true { 201 } else { 200 };
        Ok(Answer::json(status, reply))
    }

    /// Upserts many records, each with a result of its own: the request as a whole succeeds.
    pub(super) fn upsert_all(&mut self, call: &Call, object: &'static Object, key: &str) -> Result {
        let key = external_id(object, key)?;
        let mut body = json_body(call.request)?;
        let Some(Value::Array(records)) = body.remove("records").filter(|_| body.is_empty()) else {
            return Err(Refusal::new(400, "JSON_PARSER_ERROR", "an array of records and nothing else"));
        };
        if records.len() > COLLECTION_MAX {
            let problem = "record limit reached. cannot submit more than 200 records in this list";
            return Err(Refusal::new(400, "EXCEEDED_ID_LIMIT", problem));
        }
        let results = records.into_iter().map(|record| {
            let name = record["attributes"]["type"].as_str().unwrap_or_default();
            let written = match record {
                Value::Object(fields) if name == object.name => self.upsertion(object, key, fields),
                _ => Err(no_such_object(name)),
            };
            written.map_or_else(|refusal| refusal.as_result(), |write| self.write(object, write))
        });
        Ok(Answer::json(200, Value::Array(results.collect())))
    }

    pub(super) fn read(&mut self, call: &Call, object: &'static Object, row: usize) -> Result {
        let fields = fields(object, call.request.param("fields"))?;
        let mut record = String::new();
        self.table(object).rows[row].write_json(&mut record, object, &fields, &call.base);
        Ok(Answer::json(200, record))
    }
}

pub(super) fn object(name: &str) -> Result<&'static Object> {
    schema::object(name).filter(|object| object.reach == Reach::Everywhere).ok_or_else(Refusal::not_found)
}

/// The fields of these names, separated by commas; without names, all.
pub(super) fn fields(object: &'static Object, names: Option<String>) -> Result<Vec<&'static Field>> {
    let Some(names) = names else { return Ok(object.fields.iter().collect()) };
    let field =
        |name: &str| object.field(name.trim()).ok_or_else(|| no_such_column(object, name, "sobject of type"));
    names.split(',').map(field).collect()
}

pub(super) fn external_id(object: &'static Object, name: &str) -> Result<&'static Field> {
    let field = object.field(name).filter(|field| matches!(field.kind, Kind::ExternalId));
    field.ok_or_else(|| {
        let problem = "Provided external ID field does not exist or is not accessible";
        Refusal::new(404, "NOT_FOUND", problem)
    })
}

/// An insert of these fields, if those are there that have to be.
pub(super) fn insertion(object: &Object, fields: Map<String, Value>) -> Result<Write> {
    if fields.get(object.required).and_then(Value::as_str).is_none_or(str::is_empty) {
        let problem = format!("Required fields are missing: [{}]", object.required);
        return Err(Refusal::new(400, "REQUIRED_FIELD_MISSING", problem).about(object.required));
    }
    Ok(Write::Insert(fields))
}

/// These fields under their proper names, if a client may set them so.
pub(super) fn writable(object: &Object, body: Map<String, Value>) -> Result<Map<String, Value>> {
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
