//! The org as a client sees it that knows no more than sockets: what sf-login's own tests do not ask of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::text::escape;
use crate::*;

mod api;
mod codes;
mod history;
mod jwt;
mod logins;
mod queries;
mod server;

/// What came back.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// One request on a connection of its own.
fn exchange(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let reply = String::from_utf8(bytes(org, method, path, headers, body)).expect("text");
    let (head, body) = reply.split_once("\r\n\r\n").expect("no head");
    let status = head[9..12].parse().expect("status");
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

fn bytes(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    let headers = format!("{host}Connection: close\r\n{headers}Content-Length: {}\r\n", body.len());
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).expect("send");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read");
    bytes
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

const TOKEN: &str = "/services/oauth2/token";

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", escape(v))).collect();
    pairs.join("&")
}

const PASSWORD_FORM: [(&str, &str); 5] = [
    ("grant_type", "password"),
    ("client_id", CLIENT_ID),
    ("client_secret", CLIENT_SECRET),
    ("username", USERNAME),
    ("password", "pa ss+w&r=d%\"ä/Zq7TokenOfAda012345678xY"),
];

const CLIENT_CREDENTIALS: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];

/// The form with one value changed, or left out.
fn but<'a>(form: &[(&'a str, &'a str)], name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let pairs = form.iter().map(|(n, v)| (*n, if *n == name { value } else { Some(*v) }));
    pairs.filter_map(|(n, v)| Some((n, v?))).collect()
}

fn post_token(org: &Org, path: &str, pairs: &[(&str, &str)]) -> Reply {
    exchange(org, "POST", path, FORM, &form(pairs))
}

#[track_caller]
fn assert_refused(reply: &Reply, error: &str, description: &str) {
    let expected = json!({ "error": error, "error_description": description });
    assert_eq!((reply.status, reply.json()), (400, expected));
}

/// The header of a session.
fn session(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The header of a fresh session.
fn log_in(org: &Org) -> String {
    session(post_token(org, TOKEN, &PASSWORD_FORM).json()["access_token"].as_str().expect("a token"))
}

/// A request of the API, with JSON if there is a body.
fn api(org: &Org, session: &str, method: &str, path: &str, body: &str) -> Reply {
    let headers = format!("{session}Content-Type: application/json\r\n");
    exchange(org, method, &format!("/services/data/v66.0/{path}"), &headers, body)
}

fn soql(org: &Org, session: &str, soql: &str) -> Reply {
    api(org, session, "GET", &format!("query?q={}", escape(soql)), "")
}

#[track_caller]
fn assert_api_error(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &reply.json()[0]["errorCode"]), (status, &json!(code)), "{}", reply.body);
}
