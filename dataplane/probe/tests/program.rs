//! `pavilion-probe` as a process: what is asked about is tried, against real listeners.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pavilion_probe::{Expected, Outcome, Question, Told, Tried};
use serde_json::json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A running probe; killed when dropped.
struct Probe {
    child: Child,
    listen: SocketAddr,
    door: SocketAddr,
    folder: TempDir,
}

/// An address that nobody else has, for as long as nobody takes it.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Probe {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (listen, door, health) = (free(), free(), free());
        fs::write(folder.path().join("pin"), "1234").unwrap();
        let config = json!({
            "process": {"health": format!("tcp:{health}"), "workerThreads": 1},
            "listen": listen, "door": door, "everySeconds": 1,
            "confined": {
                "user": 10_004,
                "closed": [folder.path().join("pin"), folder.path().join("absent")],
                "noFile": "/proc/trace",
            },
        });
        let path = folder.path().join("probe.json");
        fs::write(&path, config.to_string()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_pavilion-probe"))
            .arg("--config")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            listen,
            door,
            folder,
        }
    }

    /// What it says to a request, while it listens.
    fn say(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.listen).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: p\r\nconnection: close\r\ncontent-length: {length}"
        );
        write!(stream, "{head}\r\n\r\n{body}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn ask(&self, questions: &[Question]) -> Option<Told> {
        let body = serde_json::to_string(questions).unwrap();
        let answer = self.say("POST", "/ask", &body)?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        Some(serde_json::from_str(body).unwrap())
    }

    /// Asks until it has been told enough.
    fn until(&self, what: &str, questions: &[Question], enough: impl Fn(&Told) -> bool) -> Told {
        let since = Instant::now();
        loop {
            match self.ask(questions) {
                Some(told) if enough(&told) => return told,
                told => assert!(since.elapsed() < PATIENCE, "never: {what}: {told:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn question(closed: &[SocketAddr], open: &[SocketAddr]) -> Question {
    Question {
        name: "acme".to_owned(),
        closed: closed.to_vec(),
        open: open.to_vec(),
    }
}

fn outcome(told: &Told, expected: Expected, address: SocketAddr) -> Option<Outcome> {
    let is_it = |tried: &&Tried| tried.expected == expected && tried.address == address;
    told.tried.iter().find(is_it).map(|tried| tried.outcome)
}

#[test]
fn a_probe_tells_where_it_gets_to_and_where_it_does_not() {
    let probe = Probe::start();
    let nobody = free();
    let asked = [question(&[nobody], &[probe.door])];
    let told = probe.until("both are tried", &asked, |told| told.tried.len() == 2);
    assert_eq!(told.every_seconds, 1);
    let reached = outcome(&told, Expected::Open, probe.door);
    assert_eq!(reached, Some(Outcome::Reached));
    let refused = outcome(&told, Expected::Closed, nobody);
    assert_eq!(refused, Some(Outcome::Refused));
}

#[test]
fn a_hole_that_opens_later_is_found_and_found_closed_again() {
    let probe = Probe::start();
    let place = free();
    let asked = [question(&[place], &[])];
    let is = |wanted| move |told: &Told| outcome(told, Expected::Closed, place) == Some(wanted);
    probe.until("it is refused", &asked, is(Outcome::Refused));
    let hole = TcpListener::bind(place).unwrap();
    probe.until("the hole is found", &asked, is(Outcome::Reached));
    drop(hole);
    probe.until("it is refused again", &asked, is(Outcome::Refused));
}

#[test]
fn a_probe_tells_what_it_can_open_although_it_should_not() {
    let probe = Probe::start();
    let told = probe.until("it looked at itself", &[], |told| !told.own.is_empty());
    let found = |name: &str| {
        let mut all = told.own.iter();
        all.find(|own| own.what.ends_with(name)).unwrap().outcome
    };
    let pin = probe.folder.path().join("pin").display().to_string();
    assert_eq!(found(&pin), Outcome::Reached);
    assert_eq!(found("absent"), Outcome::Refused);
    assert_eq!(found("/proc/trace"), Outcome::Refused);
    // The tests run as somebody else, with what that user may.
    assert_eq!(found("privileges"), Outcome::Reached);
}

#[test]
fn what_is_no_question_is_refused() {
    let probe = Probe::start();
    probe.until("it answers", &[], |_| true);
    let refused = |method, path, body: &str| {
        let answer = probe.say(method, path, body).unwrap();
        answer.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(refused("GET", "/ask", ""), "405");
    assert_eq!(refused("POST", "/", "[]"), "404");
    assert_eq!(refused("POST", "/ask", "{}"), "400");
    assert_eq!(
        refused(
            "POST",
            "/ask",
            r#"[{"name": "a", "closed": ["a.example:1"], "open": []}]"#
        ),
        "400"
    );
    let many = vec![free(); 65];
    let many = serde_json::to_string(&[question(&many, &[])]).unwrap();
    assert_eq!(refused("POST", "/ask", &many), "400");
}
