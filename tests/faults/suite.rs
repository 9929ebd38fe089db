//! All rounds one after the other, in an order that the seed says, and the table of what they said.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::faults;
use crate::report::HEAD;
use crate::round::{self, Fault, Scale};
use crate::settings::Settings;

const SHORT: Scale = Scale { characters: 40, killmails: 300, soak: Duration::from_secs(20) };
const LONG: Scale = Scale { characters: 60, killmails: 600, soak: Duration::from_secs(120) };
/// Rounds beside one another, each with a database, queues and a simulator of its own.
const AT_ONCE: usize = 3;

struct Suite {
    began: Instant,
    lasts: Option<Duration>,
    scale: Scale,
    /// Lines of the table.
    lines: Mutex<Vec<String>>,
    failed: Mutex<Vec<&'static str>>,
}

pub(crate) fn run(settings: &Settings) {
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut faults: Vec<&Fault> = faults::ALL.iter().filter(|fault| fault.name.contains(&settings.only)).collect();
    assert!(!faults.is_empty(), "no fault is called {:?}", settings.only);
    let suite = Suite {
        began: Instant::now(),
        lasts: settings.lasts,
        scale: if settings.lasts.is_some() { LONG } else { SHORT },
        lines: Mutex::default(),
        failed: Mutex::default(),
    };
    loop {
        faults.shuffle(&mut random);
        let seeded = faults.iter().map(|fault| (*fault, random.random()));
        let (alone, beside): (VecDeque<_>, VecDeque<_>) = seeded.partition(|(fault, _)| fault.is_alone);
        suite.run_all(&Mutex::new(alone), 1);
        suite.run_all(&Mutex::new(beside), AT_ONCE);
        if settings.lasts.is_none() || suite.is_over() {
            break;
        }
    }
    let (lines, failed) = (suite.lines.into_inner().unwrap(), suite.failed.into_inner().unwrap());
    println!("\n{HEAD}\n{}", lines.join("\n"));
    let (rounds, seconds) = (lines.len() + failed.len(), suite.began.elapsed().as_secs());
    println!("\n{rounds} rounds in {seconds} s, seed {}", settings.seed);
    assert!(failed.is_empty(), "these rounds failed: {failed:?}");
}

impl Suite {
    fn is_over(&self) -> bool {
        self.lasts.is_some_and(|lasts| self.began.elapsed() > lasts)
    }

    fn run_all(&self, rounds: &Mutex<VecDeque<(&Fault, u64)>>, at_once: usize) {
        let next = || rounds.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while !self.is_over()
                        && let Some((fault, seed)) = next()
                    {
                        self.run_one(fault, seed);
                    }
                });
            }
        });
    }

    /// A round that fails does not keep the others.
    fn run_one(&self, fault: &Fault, seed: u64) {
        match catch_unwind(AssertUnwindSafe(|| round::run(fault, seed, self.scale))) {
            Ok(report) => {
                println!("{}", report.line());
                self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(report.line());
            }
            Err(_) => {
                println!("FAILED: {}", fault.name);
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(fault.name);
            }
        }
    }
}
