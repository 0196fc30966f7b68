//! Up to 200 records in one request.

use serde_json::{Value, json};

use super::records::{Write, fields, insertion, take_id, writable};
use super::refusal::{Refusal, missing_id, no_such_object};
use super::{Call, Rest, Result, json_body};
use crate::Answer;
use crate::schema::{self, Field, Object};

/// How many records a request to `composite/sobjects` may have.
const COLLECTION_MAX: usize = 200;

impl Rest {
    /// Writes many records, each with a result of its own: the request as a whole succeeds.
    pub(super) fn collection(
        &mut self,
        call: &Call,
        upsert: Option<(&'static Object, &'static Field)>,
    ) -> Result {
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

    /// Many records by their ids, each `null` where there is none.
    pub(super) fn read_collection(&mut self, call: &Call, object: &'static Object) -> Result {
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
}
