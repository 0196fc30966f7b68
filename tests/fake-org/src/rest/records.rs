//! Single records: made, read, changed, upserted and deleted.

use serde_json::{Map, Value, json};

use super::refusal::{Refusal, no_such_column};
use super::{Call, Rest, Result, json_body};
use crate::Answer;
use crate::schema::{self, Field, Kind, Object};

/// A write that nothing is wrong with.
pub(super) enum Write {
    Insert(Map<String, Value>),
    Update(usize, Map<String, Value>),
    Delete(usize),
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

    pub(super) fn update(
        &mut self,
        object: &'static Object,
        id: &str,
        body: Map<String, Value>,
    ) -> Result<Write> {
        let row = self.find(object, id, Refusal::deleted)?;
        Ok(Write::Update(row, writable(object, body)?))
    }

    pub(super) fn deletion(&mut self, object: &'static Object, id: &str) -> Result<Write> {
        self.find(object, id, Refusal::deleted).map(Write::Delete)
    }

    /// An update of the record that has the same external id as these fields, or else an insert.
    pub(super) fn upsertion(
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
    pub(super) fn write(&mut self, object: &'static Object, write: Write) -> (String, bool) {
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
    pub(super) fn upsert(&mut self, call: &Call, object: &'static Object, key: &str, value: &str) -> Result {
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

    /// More than one record has that external id: here they are.
    pub(super) fn choices(&mut self, call: &Call, object: &'static Object, rows: &[usize]) -> Answer {
        let table = self.table(object);
        let url = |row: &usize| format!("{}/sobjects/{}/{}", call.base, object.name, table.rows[*row].id);
        Answer::json(300, json!(rows.iter().map(url).collect::<Vec<_>>()))
    }

    pub(super) fn read(&mut self, call: &Call, object: &'static Object, row: usize) -> Result {
        let fields = fields(object, call.request.param("fields"))?;
        let mut record = String::new();
        self.table(object).rows[row].write_json(&mut record, object, &fields, &call.base);
        Ok(Answer::json(200, record))
    }
}

pub(super) fn object(name: &str) -> Result<&'static Object> {
    schema::object(name).filter(|object| !object.tooling).ok_or_else(Refusal::not_found)
}

/// The fields of these names, separated by commas; without names, all.
pub(super) fn fields(object: &'static Object, names: Option<String>) -> Result<Vec<&'static Field>> {
    let Some(names) = names else { return Ok(object.fields.iter().collect()) };
    let field =
        |name: &str| object.field(name.trim()).ok_or_else(|| no_such_column(object, name, "sobject of type"));
    names.split(',').map(field).collect()
}

pub(super) fn external_id(object: &'static Object, name: &str) -> Result<&'static Field> {
    let field = object.field(name).filter(|field| matches!(field.kind, Kind::ExternalId | Kind::Id));
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

/// The id among these fields, which is then no longer among them.
pub(super) fn take_id(fields: &mut Map<String, Value>) -> Option<String> {
    let id = fields.keys().find(|name| name.eq_ignore_ascii_case("Id"))?.clone();
    fields.remove(&id)?.as_str().map(str::to_owned)
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
