//! Ctrl-C ends a run cleanly; nothing is published.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::binary::Said;
use crate::place::{Export, Place, main_job};

const PATIENTS: &str = "Id,BIRTHDATE,GENDER\np1,1950-01-01,M\n";

/// A web server with one file, whose content waits until it is let go.
fn server() -> (u16, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, asks) = channel();
    let (let_go, goes) = channel::<()>();
    thread::spawn(move || {
        let mut waited = false;
        for stream in listener.incoming().map_while(Result::ok) {
            let is_content = answer(stream, || {
                if !waited {
                    let _ = asked.send(());
                    let _ = goes.recv();
                }
            });
            waited |= is_content;
        }
    });
    (port, asks, let_go)
}

/// Answers one request; true if it was for the content.
fn answer(mut stream: TcpStream, before_content: impl FnOnce()) -> bool {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    let _ = reader.read_line(&mut request);
    let mut ranged = false;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
        ranged |= line.to_ascii_lowercase().starts_with("range:");
        line.clear();
    }
    let is_content = request.starts_with("GET");
    let length = PATIENTS.len();
    let (status, range) = if ranged {
        ("206 Partial Content", format!("Content-Range: bytes 0-{}/{length}\r\n", length - 1))
    } else {
        ("200 OK", String::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}\
         Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT\r\nETag: \"1\"\r\nConnection: close\r\n\r\n"
    );
    if is_content {
        before_content();
    }
    let body = if is_content { PATIENTS } else { "" };
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    is_content
}

#[test]
fn ctrl_c_publishes_nothing() {
    let (port, asks, let_go) = server();
    let place = Place::new();
    let folder = format!("http://127.0.0.1:{port}/").into();
    let mut command = place.command(&main_job(), &Export { format: "synthea-csv", folder });
    command.args(["--log", "json", "--set", "locations.exports.options.files=\"patients.csv\""]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    asks.recv_timeout(Duration::from_mins(1)).unwrap();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    // The signal is handled on a thread of its own.
    thread::sleep(Duration::from_millis(300));
    let_go.send(()).unwrap();
    let said = Said::of(&child.wait_with_output().unwrap()).ends_with(130);
    let last: serde_json::Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["failure"], &last["exit_code"]), (&"stopped".into(), &130.into()));
    assert_eq!(place.published(), 0);
    assert!(!place.path("records/latest").exists());
    assert!(!place.path("reports/latest").exists());
}
