//! The org as a client sees it that knows no more than sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::text::escape;
use crate::*;

mod bulk;
mod codes;
mod history;
mod jwt;
mod logins;
mod queries;
mod records;
mod server;

/// What came back.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("no head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("head");
        let status = head[9..12].parse().expect("status");
        Reply { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn send(to: &mut impl Write, method: &str, path: &str, headers: &str, body: &str) {
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    to.write_all(request.as_bytes()).expect("send");
}

/// One request on a connection of its own.
fn exchange(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    Reply::parse(&bytes(org, method, path, headers, body))
}

fn bytes(org: &Org, method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let host = if headers.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    send(&mut stream, method, path, &format!("{host}Connection: close\r\n{headers}"), body);
    let mut bytes = Vec::new();
    // A connection may end in the midst of things.
    drop(stream.read_to_end(&mut bytes));
    bytes
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={}", escape(v))).collect();
    pairs.join("&")
}

fn password_form() -> Vec<(&'static str, &'static str)> {
    const PASSWORD_AND_TOKEN: &str = "pa ss+w&r=d%\"ä/Zq7TokenOfAda012345678xY";
    vec![
        ("grant_type", "password"),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("username", USERNAME),
        ("password", PASSWORD_AND_TOKEN),
    ]
}

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

/// The header of a fresh session.
fn log_in(org: &Org) -> String {
    let reply = post_token(org, TOKEN, &password_form()).json();
    format!("Authorization: Bearer {}\r\n", reply["access_token"].as_str().expect("a token"))
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
    assert_eq!((reply.status, &reply.json()[0]["errorCode"]), (status, &json!(code)));
}

const TOKEN: &str = "/services/oauth2/token";
