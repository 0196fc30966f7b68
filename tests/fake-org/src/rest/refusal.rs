//! Why a request of the API is refused.

use serde_json::{Value, json};

use crate::Answer;
use crate::schema::Object;
use crate::soql;

/// Why a request of the API is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
    /// What is wrong in a query.
    word: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), fields: Vec::new(), word: None }
    }

    pub(super) fn not_found() -> Refusal {
        Refusal::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(super) fn deleted() -> Refusal {
        Refusal::new(404, "ENTITY_IS_DELETED", "entity is deleted")
    }

    /// Says it of that word, if it is in a query.
    pub(super) fn at(mut self, word: &str) -> Refusal {
        self.word = Some(word.to_owned());
        self
    }

    /// With a caret under that word, where the query has it.
    pub(super) fn in_query(mut self, soql: &str) -> Refusal {
        if let Some(word) = &self.word {
            self.message = soql::pointing_to(word, soql, &self.message);
        }
        self
    }

    pub(super) fn about(mut self, field: &str) -> Refusal {
        self.fields.push(field.to_owned());
        self
    }

    /// How one record of many was refused.
    pub(super) fn as_result(&self) -> Value {
        let error = json!({ "statusCode": self.code, "message": self.message, "fields": self.fields });
        json!({ "success": false, "errors": [error] })
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

pub(super) fn no_such_object(name: &str) -> Refusal {
    Refusal::new(400, "INVALID_TYPE", format!("sObject type '{name}' is not supported.")).at(name)
}

pub(super) fn no_such_column(object: &Object, name: &str, of: &str) -> Refusal {
    let problem = format!(
        "No such column '{name}' on {of} '{}'. If you are attempting to use a custom field, be sure to \
         append the '__c' after the custom field name. Please reference your WSDL or the describe call \
         for the appropriate names.",
        object.name
    );
    Refusal::new(400, "INVALID_FIELD", problem).at(name)
}
