//! How fast entries become durable: the engine against a bare append + fdatasync loop.
//!
//! `cargo bench -p pavilion-auditor --bench append` runs them in turn, several rounds, on the
//! same disk with the same producers, and prints the ratio of the medians for several numbers of
//! entries in flight. The bare loop runs in two forms: it appends to a file that grows, and it writes
//! over a file that has its blocks, which spares the file system's journal as the engine's segments do.
//! The engine's time ends when every tile and bundle is on disk too: it writes everything twice, so
//! where the bare loop is bound by the disk's bandwidth the ratio is lower.
//! Then 10,000 entries a second are offered, whether the engine keeps up or not (open loop), and
//! it prints how long acknowledgements and receipts took from the moment each was due.
//! `PAVILION_BENCH_DIR` chooses the disk (default: the target folder), `PAVILION_BENCH_SECONDS`
//! the length of each round (default: 3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use hdrhistogram::Histogram;
use pavilion_auditor::LogMetrics;
use pavilion_auditor::engine::{Log, Settings, Signed};
use pavilion_tlog::VerifierKey;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

const ORIGIN: &str = "bench.example/log";
const ENTRY: usize = 1024;
/// Producers that each wait for an acknowledgement before the next append.
const PRODUCERS: [usize; 4] = [16, 64, 256, 1024];
const ROUNDS: usize = 3;
const RATE: u64 = 10_000;
/// The most that the bare loop writes at once, in bytes.
const BATCH: usize = 1 << 20;
/// Length of the file that the bare loop writes over, in bytes.
const ALLOCATED: u64 = 256 << 20;

/// How the bare loop's file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    Growing,
    Allocated,
}

fn main() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let base = std::env::var_os("PAVILION_BENCH_DIR").map_or(target, PathBuf::from);
    let seconds = std::env::var("PAVILION_BENCH_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let round = Duration::from_secs(seconds.unwrap_or(3));
    let folder = tempfile::tempdir_in(base).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("entries/s of 1 KiB, median of {ROUNDS} rounds of {round:?} each");
    println!(
        "| in flight | bare append + fdatasync | bare overwrite + fdatasync | engine | of append (target >= 0.70, >= 10,000/s) | of overwrite |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for producers in PRODUCERS {
        let mut rates = [const { Vec::new() }; 3];
        for number in 0..ROUNDS {
            let plain = |file: Bare| bare_loop(&runtime, folder.path(), file, producers, round);
            rates[0].push(plain(Bare::Growing));
            rates[1].push(plain(Bare::Allocated));
            let directory = folder.path().join(format!("{producers}-{number}"));
            rates[2].push(engine_loop(&runtime, &directory, producers, round));
            empty(&directory);
        }
        let [append, overwrite, engine] = rates.map(median);
        println!(
            "| {producers} | {append:.0} | {overwrite:.0} | {engine:.0} | {:.2} | {:.2} |",
            engine / append,
            engine / overwrite
        );
    }
    open_loop(&runtime, &folder.path().join("open"), round);
}

/// Gives the blocks of every file back, but no file: ext4 looks at each inode that was deleted within
/// the last minute before it makes a new one, and the next round would pay for it.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            empty(&path);
        } else {
            File::create(path).unwrap();
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An entry that is different each time, and not compressible to nothing.
fn entry(number: u64) -> Bytes {
    let mut bytes = vec![0; ENTRY];
    for (chunk, at) in bytes.chunks_mut(8).zip(0_u64..) {
        let word = (number ^ at)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes.into()
}

/// What every group commit must do, and nothing else: queue, one write, one fdatasync, answer.
fn bare_loop(
    runtime: &Runtime,
    folder: &Path,
    form: Bare,
    producers: usize,
    round: Duration,
) -> f64 {
    type Item = (Bytes, oneshot::Sender<()>);
    let (send, mut receive) = mpsc::channel::<Item>(4096);
    let mut file = File::create(folder.join("bare")).unwrap();
    if form == Bare::Allocated {
        for _ in 0..ALLOCATED / BATCH as u64 {
            file.write_all(&vec![0; BATCH]).unwrap();
        }
        file.sync_all().unwrap();
        file.rewind().unwrap();
    }
    let writer = thread::spawn(move || {
        let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
        while let Some((entry, answer)) = receive.blocking_recv() {
            buffer.clear();
            buffer.extend_from_slice(&entry);
            waiting.push(answer);
            while buffer.len() < BATCH
                && let Ok((entry, answer)) = receive.try_recv()
            {
                buffer.extend_from_slice(&entry);
                waiting.push(answer);
            }
            if form == Bare::Allocated
                && file.stream_position().unwrap() + buffer.len() as u64 > ALLOCATED
            {
                file.rewind().unwrap();
            }
            file.write_all(&buffer).unwrap();
            file.sync_data().unwrap();
            waiting.drain(..).for_each(|answer| {
                let _ = answer.send(());
            });
        }
    });
    let began = Instant::now();
    let count = saturate(runtime, producers, round, move |number| {
        let send = send.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            send.send((entry(number), answer)).await.unwrap();
            answered.await.unwrap();
        }
    });
    writer.join().unwrap();
    count / began.elapsed().as_secs_f64()
}

fn engine_loop(runtime: &Runtime, folder: &Path, producers: usize, round: Duration) -> f64 {
    let log = open(runtime, folder);
    let of = log.clone();
    let began = Instant::now();
    let count = saturate(runtime, producers, round, move |number| {
        let log = of.clone();
        async move {
            log.append(entry(number)).await.unwrap();
        }
    });
    log.close();
    count / began.elapsed().as_secs_f64()
}

/// Runs every producer for the time and returns how many appends there were.
fn saturate<F, W>(runtime: &Runtime, producers: usize, round: Duration, append: F) -> f64
where
    F: Fn(u64) -> W + Clone + Send + 'static,
    W: Future<Output = ()> + Send,
{
    let (number, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let producers: Vec<_> = (0..producers)
        .map(|_| {
            let (append, number) = (append.clone(), Arc::clone(&number));
            runtime.spawn(async move {
                while began.elapsed() < round {
                    append(number.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for producer in producers {
            producer.await.unwrap();
        }
    });
    let count = u32::try_from(number.load(Ordering::Relaxed)).unwrap();
    f64::from(count)
}

/// Offers a fixed rate and measures from when each append was due.
fn open_loop(runtime: &Runtime, folder: &Path, round: Duration) {
    let log = open(runtime, folder);
    let (send, mut receive) = mpsc::unbounded_channel();
    let began = Instant::now();
    let offering = log.clone();
    let offered = runtime.spawn(async move {
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut number = 0;
        while began.elapsed() < round * 2 {
            let due = ticks.tick().await.into_std();
            for _ in 0..RATE / 1000 {
                let (log, send, entry) = (offering.clone(), send.clone(), entry(number));
                // A receipt for every tenth entry: each is a whole answer's worth of waiting.
                let wants_receipt = number % 10 == 0;
                number += 1;
                tokio::spawn(async move {
                    let appended = log.append(entry).await.unwrap();
                    let acknowledged = due.elapsed();
                    let receipt = if wants_receipt {
                        log.receipt(appended.index).await.unwrap();
                        Some(due.elapsed())
                    } else {
                        None
                    };
                    send.send((acknowledged, receipt)).unwrap();
                });
            }
        }
        number
    });
    let (mut acks, mut receipts) = (histogram(), histogram());
    let offered = runtime.block_on(async {
        let offered = offered.await.unwrap();
        while let Some((ack, receipt)) = receive.recv().await {
            record(&mut acks, ack);
            if let Some(took) = receipt {
                record(&mut receipts, took);
            }
        }
        offered
    });
    println!(
        "open loop: {offered} offered at {RATE}/s, {} acknowledged",
        acks.len()
    );
    let line = |name: &str, h: &Histogram<u64>| {
        let at = |quantile| Duration::from_micros(h.value_at_quantile(quantile));
        println!(
            "{name}: p50 {:?}, p99 {:?}, p99.9 {:?}, max {:?}",
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    };
    line("acknowledged after (target p99 <= 20 ms)", &acks);
    line("receipt after", &receipts);
    log.close();
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram
        .record(u64::try_from(took.as_micros()).unwrap().max(1))
        .unwrap();
}

/// A log whose checkpoints are signed in this process.
fn open(runtime: &Runtime, folder: &Path) -> Log {
    let log = Log::open(Settings::new(folder, ORIGIN), LogMetrics::unregistered()).unwrap();
    let pair = Arc::new(Ed25519KeyPair::generate().unwrap());
    let key = VerifierKey::new(ORIGIN, pair.public_key().as_ref().try_into().unwrap()).unwrap();
    let signing = log.clone();
    runtime.spawn(async move {
        let sign = |text: String| {
            let signature = pair.sign(text.as_bytes()).as_ref().try_into().unwrap();
            let key = key.clone();
            async move { Ok(Signed { key, signature }) }
        };
        signing.make_checkpoints(sign).await;
    });
    log
}
