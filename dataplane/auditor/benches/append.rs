//! How fast entries become durable: the engine against a bare append + fdatasync loop.
//!
//! `cargo bench -p pavilion-auditor --bench append` runs both in turn, several rounds, on the
//! same disk with the same producers, and prints the ratio of the medians for several numbers of
//! entries in flight. The engine writes everything twice, because the tree's files come after the
//! write-ahead log, so where the bare loop is bound by the disk's bandwidth the ratio is lower.
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
use std::io::Write;
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
    println!("in flight   bare append + fdatasync   engine   ratio (target >= 0.70, >= 10,000/s)");
    for producers in PRODUCERS {
        let (mut plain, mut engine) = (Vec::new(), Vec::new());
        for number in 0..ROUNDS {
            plain.push(bare_loop(&runtime, folder.path(), producers, round));
            let directory = folder.path().join(format!("{producers}-{number}"));
            engine.push(engine_loop(&runtime, &directory, producers, round));
            fs::remove_dir_all(directory).unwrap();
        }
        let (plain, engine) = (median(plain), median(engine));
        println!(
            "{producers:>9}   {plain:>23.0}   {engine:>6.0}   {:.2}",
            engine / plain
        );
    }
    open_loop(&runtime, &folder.path().join("open"), round);
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
fn bare_loop(runtime: &Runtime, folder: &Path, producers: usize, round: Duration) -> f64 {
    type Item = (Bytes, oneshot::Sender<()>);
    let (send, mut receive) = mpsc::channel::<Item>(4096);
    let mut file = File::create(folder.join("bare")).unwrap();
    let writer = thread::spawn(move || {
        let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
        while let Some((entry, answer)) = receive.blocking_recv() {
            buffer.clear();
            buffer.extend_from_slice(&entry);
            waiting.push(answer);
            while buffer.len() < 1024 * 1024
                && let Ok((entry, answer)) = receive.try_recv()
            {
                buffer.extend_from_slice(&entry);
                waiting.push(answer);
            }
            file.write_all(&buffer).unwrap();
            file.sync_data().unwrap();
            waiting.drain(..).for_each(|answer| {
                let _ = answer.send(());
            });
        }
    });
    let rate = saturate(runtime, producers, round, move |number| {
        let send = send.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            send.send((entry(number), answer)).await.unwrap();
            answered.await.unwrap();
        }
    });
    writer.join().unwrap();
    rate
}

fn engine_loop(runtime: &Runtime, folder: &Path, producers: usize, round: Duration) -> f64 {
    let log = open(runtime, folder);
    let of = log.clone();
    let rate = saturate(runtime, producers, round, move |number| {
        let log = of.clone();
        async move {
            log.append(entry(number)).await.unwrap();
        }
    });
    log.close();
    rate
}

/// Runs every producer for the time and returns appends a second.
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
    f64::from(count) / began.elapsed().as_secs_f64()
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
