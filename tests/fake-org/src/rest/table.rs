//! The records of one object.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::schema::{Field, Kind, Object};
use crate::text;

/// The records of one object. None is ever taken out, so that a number stays good for its record.
#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// By the shorter form of their ids.
    pub(super) by_id: HashMap<String, usize>,
}

pub(super) struct Row {
    pub(super) id: String,
    pub(super) fields: Map<String, Value>,
    pub(super) deleted: bool,
}

impl Table {
    pub(super) fn insert(&mut self, object: &Object, mut fields: Map<String, Value>) -> String {
        let given = fields.get("Id").and_then(Value::as_str).map(str::to_owned);
        let id = given.unwrap_or_else(|| format!("{}5g0{:09}AAA", object.prefix, self.rows.len() + 1));
        let now = text::timestamp(text::now());
        fields.insert("Id".to_owned(), id.clone().into());
        for time in ["CreatedDate", "LastModifiedDate"] {
            if object.field(time).is_some() {
                fields.entry(time).or_insert_with(|| now.clone().into());
            }
        }
        self.by_id.insert(id[..15].to_owned(), self.rows.len());
        self.rows.push(Row { id: id.clone(), fields, deleted: false });
        id
    }

    pub(super) fn update(&mut self, row: usize, fields: Map<String, Value>) -> String {
        let row = &mut self.rows[row];
        row.fields.extend(fields);
        row.fields.insert("LastModifiedDate".to_owned(), text::timestamp(text::now()).into());
        row.id.clone()
    }
}

impl Row {
    pub(super) fn value(&self, field: &Field) -> Value {
        match field.kind {
            Kind::Deleted => self.deleted.into(),
            _ => self.fields.get(field.name).cloned().unwrap_or_default(),
        }
    }

    /// Writes the record with its attributes first and its fields as they were asked for.
    pub(super) fn write_json(&self, out: &mut String, object: &Object, fields: &[&Field], base: &str) {
        let (name, id) = (object.name, &self.id);
        let mut put = |part: std::fmt::Arguments| out.write_fmt(part).expect("BUG: a String is full");
        put(format_args!(r#"{{"attributes":{{"type":"{name}","url":"{base}/sobjects/{name}/{id}"}}"#));
        for field in fields {
            put(format_args!(r#","{}":{}"#, field.name, self.value(field)));
        }
        out.push('}');
    }
}
