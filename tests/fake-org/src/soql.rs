//! As much SOQL as `SELECT a, b FROM X WHERE c = 'd' AND e > LAST_N_DAYS:1 ORDER BY f DESC LIMIT 10`
//! `SELECT COUNT() FROM X`, or `SELECT a, COUNT(b) n, MAX(c) m FROM X GROUP BY a`.

use std::ops::Range;

use crate::text;

/// A query as it was written.
#[derive(Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) selected: Selected<String>,
    pub(crate) object: String,
    pub(crate) conditions: Vec<Comparison<String>>,
    pub(crate) order: Vec<Order<String>>,
    pub(crate) limit: Option<usize>,
}

/// What a query asks for, with fields as they were written or as they were found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selected<F> {
    Fields(Vec<F>),
    /// `COUNT()`
    Count,
    /// `a, COUNT(b) n`, with the fields of its `GROUP BY`.
    Groups(Vec<Column<F>>, Vec<F>),
}

/// What a query of groups asks for once a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column<F> {
    /// Without one, the field is the group's own.
    pub(crate) function: Option<Function>,
    pub(crate) field: F,
    /// Under which the result goes.
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    /// How many have a value.
    Count,
    /// The greatest value.
    Max,
}

/// One of the conditions of a `WHERE`, all of which must hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Comparison<F> {
    pub(crate) field: F,
    pub(crate) operator: Operator,
    pub(crate) literal: Literal,
}

/// One item of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order<F> {
    pub(crate) field: F,
    pub(crate) descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    /// A moment or some days, in milliseconds since 1970.
    Time(Range<i64>),
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name, a keyword, a number or a time.
    Word(String),
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", ",", "(", ")"];

/// Reads a query; the error is the message of a `MALFORMED_QUERY`.
pub(crate) fn parse(soql: &str) -> Result<Query, String> {
    let (offsets, tokens): (Vec<usize>, Vec<Token>) = tokens(soql)?.into_iter().unzip();
    let mut tokens = Tokens(tokens.into_iter().peekable());
    query(&mut tokens).map_err(|problem| {
        let next = offsets.len() - tokens.0.len();
        pointing(soql, offsets.get(next).copied().unwrap_or(soql.len()), &problem)
    })
}

/// A message with a caret under the first place where that word is.
pub(crate) fn pointing_to(word: &str, soql: &str, problem: &str) -> String {
    let found = tokens(soql).ok().and_then(|tokens| {
        let mut tokens = tokens.into_iter();
        tokens.find_map(|(at, token)| (token == Token::Word(word.to_owned())).then_some(at))
    });
    found.map_or_else(|| problem.to_owned(), |at| pointing(soql, at, problem))
}

/// A message with a caret under a mistake, as Salesforce draws it.
fn pointing(soql: &str, at: usize, problem: &str) -> String {
    let before = &soql[..at];
    let row = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let line = soql.split('\n').nth(row).unwrap_or_default();
    let (row, place) = (row + 1, column + 1);
    format!("\n{line}\n{:column$}^\nERROR at Row:{row}:Column:{place}\n{problem}", "")
}

fn query(tokens: &mut Tokens) -> Result<Query, String> {
    tokens.expect_keyword("SELECT")?;
    let columns = tokens.columns()?;
    tokens.expect_keyword("FROM")?;
    let object = tokens.word()?;
    let mut conditions = Vec::new();
    if tokens.skip_keyword("WHERE") {
        conditions.push(tokens.comparison()?);
        while tokens.skip_keyword("AND") {
            conditions.push(tokens.comparison()?);
        }
    }
    let mut by = Vec::new();
    if !columns.is_empty() && tokens.skip_keyword("GROUP") {
        tokens.expect_keyword("BY")?;
        by.push(tokens.word()?);
        while tokens.skip_symbol(",") {
            by.push(tokens.word()?);
        }
    }
    let selected = if columns.is_empty() {
        Selected::Count
    } else if by.is_empty() && columns.iter().all(|column| column.function.is_none()) {
        Selected::Fields(columns.into_iter().map(|column| column.field).collect())
    } else {
        Selected::Groups(columns, by)
    };
    let mut order = Vec::new();
    if matches!(selected, Selected::Fields(_)) && tokens.skip_keyword("ORDER") {
        tokens.expect_keyword("BY")?;
        order.push(tokens.order()?);
        while tokens.skip_symbol(",") {
            order.push(tokens.order()?);
        }
    }
    let mut limit = None;
    if tokens.skip_keyword("LIMIT") {
        let Some(Token::Word(number)) = tokens.0.peek() else { return Err(tokens.unexpected()) };
        limit = Some(number.parse().map_err(|_| tokens.unexpected())?);
        tokens.0.next();
    }
    if tokens.0.peek().is_some() {
        return Err(tokens.unexpected());
    }
    Ok(Query { selected, object, conditions, order, limit })
}

/// The parts of a query, and where each begins.
fn tokens(soql: &str) -> Result<Vec<(usize, Token)>, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
    let mut tokens = Vec::new();
    let mut rest = soql.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = soql.len() - rest.len();
        let token;
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (text, after) = quoted_text(quoted).map_err(|problem| pointing(soql, at, &problem))?;
            (token, rest) = (Token::Text(text), after);
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (token, rest) = (Token::Symbol(symbol), &rest[symbol.len()..]);
        } else if is_word(first) {
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
            (token, rest) = (Token::Word(word.to_owned()), after);
        } else {
            return Err(pointing(soql, at, &format!("unexpected token: '{first}'")));
        }
        tokens.push((at, token));
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// What a literal says, and what follows it.
fn quoted_text(quoted: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => return Ok((text, chars.as_str())),
            '\n' | '\r' => return Err("a line end in a string literal".to_owned()),
            '\\' => text.push(match chars.next() {
                Some('n' | 'N') => '\n',
                Some('r' | 'R') => '\r',
                Some('t' | 'T') => '\t',
                Some('b' | 'B') => '\u{8}',
                Some('f' | 'F') => '\u{c}',
                Some(c @ ('\'' | '"' | '\\')) => c,
                Some('u') => {
                    let (digits, after) = chars.as_str().split_at_checked(4).unwrap_or_default();
                    chars = after.chars();
                    let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                    code.ok_or("Illegal character sequence in string literal")?
                }
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!("Illegal character sequence '\\{other}' in string literal"));
                }
            }),
            c => text.push(c),
        }
    }
    Err("a string literal without its end".to_owned())
}

struct Tokens(std::iter::Peekable<std::vec::IntoIter<Token>>);

impl Tokens {
    fn skip_keyword(&mut self, keyword: &str) -> bool {
        self.0.next_if(|t| matches!(t, Token::Word(w) if w.eq_ignore_ascii_case(keyword))).is_some()
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.skip_keyword(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_symbol(&mut self, symbol: &str) -> bool {
        self.0.next_if(|token| matches!(token, Token::Symbol(s) if *s == symbol)).is_some()
    }

    fn word(&mut self) -> Result<String, String> {
        match self.0.next_if(|token| matches!(token, Token::Word(_))) {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(self.unexpected()),
        }
    }

    /// What is selected; nothing is `COUNT()`.
    fn columns(&mut self) -> Result<Vec<Column<String>>, String> {
        let (mut columns, mut unnamed) = (Vec::new(), 0);
        loop {
            let word = self.word()?;
            let function = match &word.to_ascii_uppercase()[..] {
                "COUNT" => Some(Function::Count),
                "MAX" => Some(Function::Max),
                _ => None,
            };
            let function = function.filter(|_| self.skip_symbol("("));
            let column = if function.is_none() {
                Column { function, name: word.clone(), field: word }
            } else if columns.is_empty() && function == Some(Function::Count) && self.skip_symbol(")") {
                return Ok(columns);
            } else {
                let field = self.word()?;
                if !self.skip_symbol(")") {
                    return Err(self.unexpected());
                }
                let is_name = |t: &Token| matches!(t, Token::Word(w) if !w.eq_ignore_ascii_case("FROM"));
                let name = if self.0.peek().is_some_and(is_name) {
                    self.word()?
                } else {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1)
                };
                Column { function, field, name }
            };
            columns.push(column);
            if !self.skip_symbol(",") {
                return Ok(columns);
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison<String>, String> {
        let field = self.word()?;
        let operator = match self.0.peek() {
            Some(Token::Symbol("=")) => Operator::Equal,
            Some(Token::Symbol("!=")) => Operator::NotEqual,
            Some(Token::Symbol("<")) => Operator::Less,
            Some(Token::Symbol("<=")) => Operator::LessOrEqual,
            Some(Token::Symbol(">")) => Operator::Greater,
            Some(Token::Symbol(">=")) => Operator::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.0.next();
        Ok(Comparison { field, operator, literal: self.literal()? })
    }

    fn literal(&mut self) -> Result<Literal, String> {
        let literal = match self.0.peek() {
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) => literal(word).ok_or_else(|| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        self.0.next();
        Ok(literal)
    }

    fn order(&mut self) -> Result<Order<String>, String> {
        let field = self.word()?;
        let descending = !self.skip_keyword("ASC") && self.skip_keyword("DESC");
        Ok(Order { field, descending })
    }

    fn unexpected(&mut self) -> String {
        match self.0.peek() {
            None => "unexpected token: '<EOF>'".to_owned(),
            Some(Token::Word(text) | Token::Text(text)) => format!("unexpected token: '{text}'"),
            Some(Token::Symbol(symbol)) => format!("unexpected token: '{symbol}'"),
        }
    }
}

fn literal(word: &str) -> Option<Literal> {
    if word.eq_ignore_ascii_case("null") {
        Some(Literal::Null)
    } else if word.eq_ignore_ascii_case("true") {
        Some(Literal::Boolean(true))
    } else if word.eq_ignore_ascii_case("false") {
        Some(Literal::Boolean(false))
    } else if let Some(time) = text::parse_timestamp(word) {
        Some(Literal::Time(time..time + 1))
    } else if let Some(days) = days(word) {
        Some(Literal::Time(days))
    } else {
        word.parse().ok().filter(|number: &f64| number.is_finite()).map(Literal::Number)
    }
}

/// Days for which SOQL has a name, e.g. `LAST_N_DAYS:7`; they are UTC's here.
fn days(name: &str) -> Option<Range<i64>> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let name = name.to_ascii_uppercase();
    let (name, n) = match name.split_once(':') {
        Some((name, n)) => (name, n.parse::<u16>().ok().map(i64::from)),
        None => (name.as_str(), None),
    };
    let days = match (name, n) {
        ("YESTERDAY", None) => -1..0,
        ("LAST_N_DAYS", Some(n)) => -n..1,
        _ => return None,
    };
    let today = text::now() / DAY * DAY;
    Some(today + days.start * DAY..today + days.end * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_queries_say_where() {
        let says = |soql: &str, column: usize, problem: &str| {
            let caret = format!("{}^", " ".repeat(column - 1));
            let expected = format!("\n{soql}\n{caret}\nERROR at Row:1:Column:{column}\n{problem}");
            assert_eq!(parse(soql), Err(expected));
        };
        says("SELECT Id Account", 11, "unexpected token: 'Account'");
        says("SELECT Id FROM X WHERE a = 1 OR b = 2", 30, "unexpected token: 'OR'");
        says("SELECT COUNT(Id) FROM X GROUP BY a ORDER BY a", 36, "unexpected token: 'ORDER'");
        says("SELECT COUNT() FROM X GROUP BY a", 23, "unexpected token: 'GROUP'");
        says("SELECT * FROM X", 8, "unexpected token: '*'");
        says("SELECT Id, FROM Account", 17, "unexpected token: 'Account'");
        says("SELECT Id FROM X WHERE Name = 'O'Hara'", 38, "a string literal without its end");
        let illegal = r"Illegal character sequence '\x' in string literal";
        says(r"SELECT Id FROM X WHERE Name = '\x'", 31, illegal);
        let second_row = "\nFROM X WHERE\n            ^\nERROR at Row:2:Column:13\nunexpected token: '<EOF>'";
        assert_eq!(parse("SELECT Id\nFROM X WHERE"), Err(second_row.to_owned()));
    }
}
