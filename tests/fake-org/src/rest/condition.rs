//! Which records a query finds, and in which order.

use std::cmp::Ordering;

use serde_json::Value;

use super::Result;
use super::refusal::{Refusal, no_such_column};
use super::table::Row;
use crate::schema::{Field, Kind, Object};
use crate::soql::{Comparison, Literal, Operator, Order};
use crate::text;

impl Comparison<String> {
    /// The same with the field of that object.
    pub(super) fn of(self, object: &'static Object) -> Result<Comparison<&'static Field>> {
        let Comparison { field: name, operator, literal } = self;
        let field = object.field(&name).ok_or_else(|| no_such_column(object, &name, "entity"))?;
        if field.kind == Kind::Unfiltered {
            let problem = format!("field '{name}' can not be filtered in a query call");
            return Err(Refusal::new(400, "INVALID_FIELD", problem).at(&name));
        }
        if !compares(field.kind, &literal) {
            let problem = format!("value of filter criterion for field '{name}' is of the wrong type");
            return Err(Refusal::new(400, "INVALID_FIELD", problem).at(&name));
        }
        Ok(Comparison { field, operator, literal })
    }
}

impl Comparison<&'static Field> {
    pub(super) fn holds_for(&self, row: &Row) -> bool {
        let ordering = compare(&row.value(self.field), self.field.kind, &self.literal);
        self.operator.accepts(ordering)
    }
}

impl Order<&Field> {
    pub(super) fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let (a, b) = (a.value(self.field), b.value(self.field));
        if a.is_null() || b.is_null() {
            // They come first in either direction.
            return b.is_null().cmp(&a.is_null());
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
        Literal::Boolean(_) => matches!(kind, Kind::Deleted | Kind::Boolean),
        Literal::Number(_) => kind == Kind::Integer,
        Literal::Time(_) => kind == Kind::Time,
        Literal::Text(_) => !matches!(kind, Kind::Deleted | Kind::Boolean | Kind::Integer | Kind::Time),
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
        Literal::Text(literal) if matches!(kind, Kind::Id | Kind::Reference) && literal.len() == 15 => {
            Some(value.as_str()?.get(..15)?.cmp(literal))
        }
        Literal::Text(literal) => Some(value.as_str()?.cmp(literal)),
    }
}
