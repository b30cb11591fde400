//! What the session pool costs: raw `C_Sign` by as many threads as there are sessions, against the
//! engine in process, against the program over its socket, in turns on the same cores.
//!
//! `cargo bench -p pavilion-signer`; `SECONDS=5 ROUNDS=7` for a longer run. Targets: the engine at
//! least 0.9 of raw, the socket at least 0.5.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/stage/room.rs"]
mod room;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/stage/running.rs"]
mod running;

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::slot::Slot;
use futures::future::join_all;
use pavilion_rpc::signer::signed::Outcome;
use pavilion_rpc::signer::{Purpose as PurposeMessage, SignRequest, Signed, Unsigned};
use pavilion_rpc::{Manner, Together};
use pavilion_signer::engine::{Engine, Purpose, softhsm};
use tokio::runtime::{Builder, Runtime};

use room::{Room, answer, current};
use running::{Home, Running};

const FOLDER: &str = "PAVILION_SIGNER_BENCH_FOLDER";

fn main() {
    if let Some(folder) = env::var_os(FOLDER) {
        return compare(Room::new(folder.into()));
    }
    // SoftHSM reads its variable when it is initialised, so it must be there from the start.
    let folder = tempfile::tempdir().unwrap();
    let conf = softhsm::conf_path(&folder.path().join("tokens"));
    let mut again = Command::new(env::current_exe().unwrap());
    let status = again
        .env(FOLDER, folder.path())
        .env(softhsm::VARIABLE, conf)
        .status()
        .unwrap();
    assert!(status.success());
}

fn compare(mut room: Room) {
    let (time, rounds) = (
        Duration::from_secs(number("SECONDS", 2)),
        number("ROUNDS", 5),
    );
    let threads = thread::available_parallelism().unwrap().get();
    room.settings.sessions = threads;
    let engine = Arc::new(room.start());
    let (context, slot) = raw_slot(&room);
    let mut home = Home::new(&room::module());
    home.config["sessions"] = threads.into();
    let program = home.start();

    let own = format!("/proc/{}/stat", std::process::id());
    let child = format!("/proc/{}/stat", program.child.id());
    let mut ways = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        ways[0].push(measure(&[&own], || raw(&context, slot, threads, time)));
        ways[1].push(measure(&[&own], || in_process(&engine, time)));
        let both = [own.as_str(), child.as_str()];
        ways[2].push(measure(&both, || over_socket(&program, time)));
    }
    let in_flight = in_flight();
    println!(
        "ES256 on SoftHSM, {threads} sessions, {in_flight} requests in flight, median of {rounds} rounds of {time:?}"
    );
    println!("| way | signatures/s | ratio to raw | target | CPU µs each | CPU ratio |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let names = [
        "raw C_Sign, as many threads",
        "pool in process",
        "over the socket, caller on the same cores",
    ];
    let [raw, ..] = &ways;
    let (raw_rate, raw_cost) = (median(raw, |(rate, _)| rate), median(raw, |(_, cost)| cost));
    for ((name, target), way) in names.into_iter().zip(["", "≥ 0.9", "≥ 0.5"]).zip(&ways) {
        let (rate, cost) = (median(way, |(rate, _)| rate), median(way, |(_, cost)| cost));
        let (faster, cheaper) = (rate / raw_rate, raw_cost / cost);
        println!("| {name} | {rate:.0} | {faster:.2} | {target} | {cost:.1} | {cheaper:.2} |");
    }
}

/// Signatures a second, and the processor time of each in microseconds. The second is what stays
/// comparable when neighbours use the machine.
fn measure(processes: &[&str], run: impl FnOnce() -> (f64, f64)) -> (f64, f64) {
    let used = || {
        processes
            .iter()
            .map(|stat| processor_ticks(stat))
            .sum::<f64>()
    };
    let before = used();
    let (count, seconds) = run();
    let ticks = used() - before;
    // Linux counts in hundredths of a second (USER_HZ).
    (count / seconds, ticks * 10_000.0 / count)
}

fn processor_ticks(stat: &str) -> f64 {
    let text = std::fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    // proc_pid_stat(5): utime is field 14, stime field 15; the name before field 3 is cut off.
    fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum()
}

/// Each thread with its own session signs as fast as the module lets it. How many, and in how many
/// seconds; so do the other two.
fn raw(context: &Pkcs11, slot: Slot, threads: usize, time: Duration) -> (f64, f64) {
    let message = digest(&SHA256, &answer("k", 1));
    let started = Instant::now();
    let signer = || {
        let session = context.open_ro_session(slot).unwrap();
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::EC),
        ];
        let key = session.find_objects(&template).unwrap()[0];
        let mut count = 0_u32;
        while started.elapsed() < time {
            session
                .sign(&Mechanism::Ecdsa, key, message.as_ref())
                .unwrap();
            count += 1;
        }
        count
    };
    let counts: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(signer)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    (f64::from(counts), started.elapsed().as_secs_f64())
}

fn in_process(engine: &Arc<Engine>, time: Duration) -> (f64, f64) {
    let kid = current(engine, Purpose::Result).key_id;
    let message = Bytes::from(answer(&kid, 1));
    keep_in_flight(&runtime(), time, async || {
        engine.sign(&kid, message.clone()).await.unwrap();
    })
}

fn over_socket(program: &Running, time: Duration) -> (f64, f64) {
    let runtime = runtime();
    let (client, key) = runtime.block_on(async {
        (
            program.client(),
            program.current(PurposeMessage::Result).await.key_id,
        )
    });
    // As the verifier calls it.
    let manner = Manner {
        calls: 2,
        weight: 512 * 1024,
        time_out: Duration::from_secs(3),
    };
    let signatures = {
        let _inside = runtime.enter();
        Together::new(manner, move |messages| {
            let mut client = client.clone();
            async move {
                let answer = client.sign(SignRequest { messages }).await?;
                let outcome = |signed: Signed| match signed.outcome.unwrap() {
                    Outcome::Signature(signature) => Ok(signature),
                    Outcome::Failure(failure) => Err(failure.into()),
                };
                let outcomes = answer.into_inner().outcomes;
                Ok(outcomes.into_iter().map(outcome).collect())
            }
        })
    };
    let message = Bytes::from(answer(&key, 1));
    keep_in_flight(&runtime, time, async || {
        let message = Unsigned {
            key_id: key.clone(),
            message: message.clone(),
            origin: None,
        };
        let weight = message.message.len();
        signatures.call(message, weight).await.unwrap();
    })
}

/// Asks again as soon as an answer is there, with many askers on one thread.
fn keep_in_flight(runtime: &Runtime, time: Duration, ask: impl AsyncFn()) -> (f64, f64) {
    let started = Instant::now();
    let asker = async || {
        let mut count = 0_u32;
        while started.elapsed() < time {
            ask().await;
            count += 1;
        }
        count
    };
    let counts = runtime.block_on(join_all((0..in_flight()).map(|_| asker())));
    let count: u32 = counts.into_iter().sum();
    (f64::from(count), started.elapsed().as_secs_f64())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn raw_slot(room: &Room) -> (Pkcs11, Slot) {
    let context = room.second_hand();
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    (context, slot)
}

fn median(rounds: &[(f64, f64)], figure: impl Fn((f64, f64)) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().copied().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Requests that the caller keeps in flight.
fn in_flight() -> u64 {
    number("IN_FLIGHT", 64)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}
