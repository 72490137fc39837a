//! A server with answers written beforehand, for what no real one does at will.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use farr_disclosure::Zone;
use farr_store::{Error, Location};

use crate::cases::person_level;

/// An answer: the head after `HTTP/1.1 `, and the body, which may be shorter
/// than the head says.
type Answer = (String, &'static str);

/// Answers one connection after the other with what `answer` says to the n-th
/// request; gives on what it was asked.
fn server(answer: impl Fn(usize, &str) -> Answer + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (asked, asks) = channel();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let request = request(&stream);
            let (head, body) = answer(n, &request);
            let _ = asked.send(request);
            let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}");
            let _ = (&stream).write_all(head.as_bytes());
        }
    });
    (endpoint, asks)
}

/// The head of a request; its body is read and dropped.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let _ = reader.take(length).read_to_end(&mut Vec::new());
    head
}

fn open(endpoint: &str, more: &[(&str, &str)]) -> Location {
    let mut options = BTreeMap::from([
        ("endpoint", endpoint),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", "test"),
        ("secret_access_key", "test"),
    ]);
    options.extend(more.iter().copied());
    let options = options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    Location::open("s3://bucket/in", Zone::Restricted, options.collect(), Path::new(".")).unwrap()
}

/// `size` bytes from `start` on of an object of 10.
fn part(start: usize, body: &'static str) -> Answer {
    let length = 10 - start;
    let head = format!(
        "206 Partial Content\r\nContent-Length: {length}\r\n\
         Content-Range: bytes {start}-9/10\r\nETag: \"one\"\r\n\
         Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT"
    );
    (head, body)
}

fn status(status: &str, body: &'static str) -> Answer {
    (format!("{status}\r\nContent-Length: {}", body.len()), body)
}

#[test]
fn what_s3_is_asked_for() {
    let (endpoint, asks) = server(|_, _| part(0, "0123456789"));
    open(&endpoint, &[]).read("a b/c=d").unwrap();
    let asked = asks.recv().unwrap();
    assert!(asked.starts_with("get /bucket/in/a%20b/c%3dd http"), "{asked}");
    assert!(!asked.contains("x-amz-request-payer"), "{asked}");
    open(&endpoint, &[("requester_pays", "true")]).read("x").unwrap();
    let asked = asks.recv().unwrap();
    assert!(asked.contains("x-amz-request-payer: requester"), "{asked}");
    open(&endpoint, &[("path_style", "false")]).read("x").unwrap();
    let asked = asks.recv().unwrap();
    assert!(asked.starts_with("get /in/x http"), "{asked}");
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let (endpoint, _asks) = server(|n, _| part(0, if n < 2 { "01234" } else { "0123456789" }));
    assert_eq!(open(&endpoint, &[]).read("x").unwrap(), "0123456789");
    let (endpoint, _asks) = server(|_, _| part(0, "01234"));
    let error = open(&endpoint, &[("retries_max", "2")]).read("x").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("x: could not read"), "{error}");
    assert!(error.to_string().contains("given up after 3 tries"), "{error}");
}

#[test]
fn a_store_that_asks_for_time_gets_it() {
    let (endpoint, _asks) = server(|n, _| match n {
        0 => ("429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0".to_owned(), ""),
        _ => part(0, "0123456789"),
    });
    let started = Instant::now();
    assert_eq!(open(&endpoint, &[]).read("x").unwrap(), "0123456789");
    assert!(started.elapsed() >= Duration::from_secs(1));
}

/// The object is made, but the answer is lost: the repeated request finds its
/// own object, and says that it made it.
#[test]
fn a_lost_answer_to_put_if_absent() {
    use std::sync::{Arc, Mutex};
    let made = Arc::new(Mutex::new(None::<String>));
    let answer = move |n: usize, asked: &str| {
        let mark = asked.lines().find_map(|line| line.strip_prefix("x-amz-meta-farrwrite: "));
        let mut made = made.lock().unwrap();
        match (n, asked.starts_with("put")) {
            // Made by the first request; nothing is answered.
            (0, _) => {
                *made = mark.map(str::to_owned);
                (String::new(), "")
            }
            (_, true) => status("412 Precondition Failed", ""),
            (_, false) => {
                let mark = made.clone().unwrap_or_default();
                (
                    format!(
                        "200 OK\r\nContent-Length: 1\r\nx-amz-meta-farrwrite: {mark}\r\n\
                         ETag: \"one\"\r\nLast-Modified: Wed, 01 Jan 2020 00:00:00 GMT"
                    ),
                    "",
                )
            }
        }
    };
    let (endpoint, _asks) = server(answer);
    let place = open(&endpoint, &[]);
    place.write_if_absent("lease", person_level("x")).unwrap();
    let second = place.write_if_absent("lease", person_level("x"));
    assert!(matches!(second, Err(Error::Exists { .. })));
}

/// A private cloud may take the condition and ignore it.
#[test]
fn a_store_that_ignores_conditions() {
    let (endpoint, _asks) = server(|_, asked| match asked.split(' ').next() {
        Some("put") => ("200 OK\r\nContent-Length: 0\r\nETag: \"one\"".to_owned(), ""),
        _ => status("200 OK", "<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>"),
    });
    let refused = open(&endpoint, &[]).require_put_if_absent();
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn a_wrong_clock_and_a_refused_write() {
    let skew = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the \
                request time and the current time is too large.</Message></Error>";
    let (endpoint, _asks) = server(move |_, _| status("403 Forbidden", skew));
    let error = open(&endpoint, &[]).read("x").unwrap_err();
    assert!(matches!(error, Error::ClockSkew { .. }), "{error}");
    assert!(error.to_string().starts_with("s3://bucket/in/x: "), "{error}");
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    let (endpoint, _asks) = server(move |_, _| status("403 Forbidden", denied));
    let error = open(&endpoint, &[]).write("x", person_level("x")).unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
}

#[test]
fn a_place_that_does_not_answer() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let place = open(&endpoint, &[("retries_max", "1")]);
    for error in [
        place.read("x").unwrap_err(),
        place.list("").unwrap_err(),
        place.write("x", person_level("x")).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("given up after 2 tries"), "{error}");
    }
}

/// Plain web servers may know no ranges.
#[test]
fn a_web_server_without_ranges() {
    let (url, _asks) = server(|_, _| status("200 OK", "0123456789"));
    let options = BTreeMap::from([("files".to_owned(), "x".to_owned())]);
    let place = Location::open(&url, Zone::Restricted, options, Path::new(".")).unwrap();
    assert_eq!(place.read("x").unwrap(), "0123456789");
}
