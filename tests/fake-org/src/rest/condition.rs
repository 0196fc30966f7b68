//! Which records a query finds, and in which order.

use std::cmp::Ordering;

use serde_json::Value;

use super::Result;
use super::refusal::{Refusal, no_such_column};
use super::table::Row;
use crate::schema::{Field, Kind, Object};
use crate::soql::{Condition, Literal, Operator, Order};
use crate::text;

impl Condition<String> {
    /// The same with the fields of that object.
    pub(super) fn of(self, object: &'static Object) -> Result<Condition<&'static Field>> {
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
    pub(super) fn holds_for(&self, row: &Row) -> bool {
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
    pub(super) fn compare(&self, a: &Row, b: &Row) -> Ordering {
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
