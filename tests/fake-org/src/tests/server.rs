//! Connections, requests as they are recorded, and answers to order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn connections_are_kept_until_one_side_closes() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    let mut buffer = [0; 1000];
    for _ in 0..3 {
        send(&mut stream, "GET", "/nowhere", "Host: localhost\r\n", "");
        let read = stream.read(&mut buffer).expect("read");
        assert!(buffer[..read].starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }
    assert_eq!((org.connections(), org.open_connections(), org.requests().len()), (1, 1, 3));
    org.answer(Answer::new(200).then_close());
    send(&mut stream, "GET", "/", "", "");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("read");
    assert_eq!(rest, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn requests_are_recorded_as_they_came() {
    let org = Org::start();
    exchange(&org, "POST", "/a%20b?c=d+e", &format!("Host: x\r\nX-Y:  z \r\n{FORM}"), "f=%2B&g=");
    let [request] = &org.take_requests()[..] else { panic!("not one request") };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a%20b"));
    assert_eq!((request.query.as_str(), request.host(), request.header("X-y")), ("c=d+e", "x", Some("z")));
    assert_eq!(request.form(), [pair("f", "+"), pair("g", "")]);
    assert_eq!(request.param("c").as_deref(), Some("d e"));
    assert!(request.raw_head.starts_with(b"POST /a%20b?c=d+e HTTP/1.1\r\nConnection: close\r\n"));
    assert!(request.raw_head.ends_with(b"\r\n\r\n"));
    assert_eq!(org.requests().len(), 0);
}

#[test]
fn chunked_requests_are_read() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let body = "5\r\nhello\r\n7; x=y\r\n, world\r\n0\r\n\r\n";
    stream.write_all(format!("{head}{body}").as_bytes()).expect("send");
    stream.read_to_end(&mut Vec::new()).expect("read");
    assert_eq!(org.requests()[0].text(), "hello, world");
}

#[test]
fn answers_misbehave_to_the_byte() {
    let org = Org::start();
    let hello = || Answer::new(200).body("hello");
    let cases: [(Answer, &[u8]); 9] = [
        (hello(), b"Content-Length: 5\r\nConnection: close\r\n\r\nhello"),
        (hello().cut_after(2), b"Content-Length: 5\r\nConnection: close\r\n\r\nhe"),
        (hello().content_length(9), b"Content-Length: 9\r\nConnection: close\r\n\r\nhello"),
        (hello().by_close(), b"Connection: close\r\n\r\nhello"),
        (
            hello().chunked(),
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (hello().chunked().cut_after(2), b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhe"),
        (
            hello().chunked().cut_after(5),
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n",
        ),
        (hello().header("X", b"\xe4"), b"X: \xe4\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
        (
            hello().drip_head(Duration::from_micros(10)),
            b"Content-Length: 5\r\nConnection: close\r\n\r\nhello",
        ),
    ];
    for (answer, expected) in cases {
        org.answer(answer.clone());
        let came = bytes(&org, "GET", "/", "", "");
        let came = came.strip_prefix(b"HTTP/1.1 200 OK\r\n").expect("a status");
        assert_eq!(came, expected, "{answer:?}");
    }
    for (answer, expected) in [(Answer::raw("garbage"), &b"garbage"[..]), (Answer::close(), b"")] {
        org.answer(answer);
        assert_eq!(bytes(&org, "GET", "/", "", ""), expected);
    }
    assert_eq!(org.requests().len(), 11);
    org.answer(Answer::new(204));
    assert!(!exchange(&org, "GET", "/", "", "").head.contains("Content-Length"));
}

#[test]
fn scripted_answers_go_where_they_are_meant_to() {
    let org = Org::start();
    let status = |path: &str| exchange(&org, "GET", path, "", "").status;
    org.answer_to("/a", Answer::new(201));
    org.always("/a", Answer::new(202));
    org.answer(Answer::new(203));
    assert_eq!(
        [status("/b"), status("/b"), status("/a"), status("/a/b?c"), status("/a")],
        [203, 404, 201, 202, 202]
    );
    org.always_with("/", |request| Answer::text(200, &request.path));
    assert_eq!(status("/a"), 200);
    org.behave();
    assert_eq!(status("/a"), 404);
}

#[test]
fn dropping_an_org_ends_whatever_it_is_doing() {
    let slow = Duration::from_secs(3600);
    for answer in [
        Answer::stall(),
        Answer::new(200).body("hello").stall_after(2),
        Answer::new(200).body("hello").drip(slow),
        Answer::new(200).drip_head(slow),
        Answer::new(200).delay(slow),
        // More than the sockets' buffers hold, for a client that does not read.
        Answer::new(200).body(vec![0; 100_000_000]),
    ] {
        let org = Org::start();
        let _idle = TcpStream::connect(org.addr()).expect("connect");
        let mut stream = TcpStream::connect(org.addr()).expect("connect");
        org.answer(answer);
        send(&mut stream, "GET", "/", "", "");
        org.wait_for_requests(1);
        let start = Instant::now();
        drop(org);
        // A busy machine takes its time, but never as much as the answers would.
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let org = Org::start();
    let mut stream = TcpStream::connect(org.addr()).expect("connect");
    stream.write_all(b"hello\r\n\r\n").expect("send");
    let mut came = Vec::new();
    stream.read_to_end(&mut came).expect("read");
    assert_eq!(Reply::parse(&came).status, 400);
    assert_eq!(exchange(&org, "GET", &format!("/{}", "x".repeat(17_000)), "", "").status, 414);
    let long = format!("X: {}\r\n", "x".repeat(33_000));
    assert_eq!(exchange(&org, "GET", "/", &long, "").status, 431);
}

#[test]
fn chaos_fails_as_often_as_told_and_spares_the_data() {
    let org = Org::start();
    let session = log_in(&org);
    org.chaos(7, 3);
    let mut made = 0;
    for _ in 0..200 {
        let came = bytes(
            &org,
            "POST",
            "/services/data/v66.0/sobjects/Account",
            &format!("{session}Content-Type: application/json\r\n"),
            r#"{"Name":"x"}"#,
        );
        made += usize::from(came.starts_with(b"HTTP/1.1 201"));
    }
    assert!((100..170).contains(&made), "{made}");
    assert_eq!(org.records("Account").len(), made);
    for _ in 0..50 {
        let status = post_token(&org, TOKEN, &password_form()).status;
        assert!([200, 400, 429, 503].contains(&status), "{status}");
    }
}
