//! Answers to order.

use super::*;

#[test]
fn answers_misbehave_to_the_byte() {
    let org = Org::start();
    let hello = || Answer::new(200).body("hello");
    let cases: [(Answer, &[u8]); 7] = [
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
    ];
    for (answer, expected) in cases {
        org.answer(answer.clone());
        let came = bytes(&org, "GET", "/", "", "");
        let came = came.strip_prefix(b"HTTP/1.1 200 OK\r\n").expect("a status");
        assert_eq!(came, expected, "{answer:?}");
    }
}

#[test]
fn headers_that_are_too_long_are_refused() {
    let org = Org::start();
    let long = format!("X: {}\r\n", "x".repeat(33_000));
    assert_eq!(exchange(&org, "GET", "/", &long, "").status, 431);
}
