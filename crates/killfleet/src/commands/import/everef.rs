//! `killfleet import everef`: killmails from the daily archives of EVE Ref, so that ESI need not be asked for them.
//!
//! Reading an archive keeps a processor busy, and so does storing what it holds: [`archive`] reads on a thread of its
//! own, a few batches ahead. A batch is stored whole or not at all, so this can end anywhere and be begun again.

mod archive;
mod member;
mod progress;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use service::settings::DatabaseArgs;
use service::{Exit, Stop};
use store::Store;
use store::backfill::ArchivedKillmail;
use store::detail_job::NewKillmail;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use self::archive::Batch;
use self::member::Member;
use self::progress::ImportProgress;
use self::report::{Refusal, Report};
use crate::commands::{connect, from_store};
use crate::moved::refuse_moved;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Archives, as EVE Ref names them: killmails-YYYY-MM-DD.tar.bz2
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print the report as JSON, in one line, and nothing beside it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Batches that are read and not stored yet. One would do; a second one evens out what takes longer now and then.
const BATCHES_AHEAD: usize = 2;

pub(crate) async fn run(arguments: Arguments, stop: Stop) -> anyhow::Result<Exit> {
    let store = connect(&arguments.database).await?;
    refuse_moved(&store).await?;
    let sizes = arguments.files.iter().map(|path| path.metadata().map_or(0, |metadata| metadata.len()));
    let progress = ImportProgress::new(arguments.json, sizes.sum());
    let mut import = Import { store: &store, report: Report::default(), progress };
    let (began, stop) = (Instant::now(), stop.token());

    let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let bytes_read = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&bytes_read);
    let reading = spawn_blocking(move || archive::read_all(&arguments.files, archive::BATCH_BYTES, &count, &sender));
    let is_through = loop {
        let batch = tokio::select! {
            biased;
            () = stop.cancelled() => break false,
            batch = batches.recv() => batch,
        };
        let Some(batch) = batch else { break true };
        import.take_over(batch).await?;
        import.progress.show(bytes_read.load(Ordering::Relaxed), import.report.killmails);
    };
    import.progress.end();
    if is_through {
        // Whoever reads ends without a word only when it has panicked.
        reading.await.context("reading the archives")?;
    }
    let mut report = import.report;
    report.seconds = began.elapsed().as_secs_f64();
    store.close().await;
    service::print_line(&if arguments.json { serde_json::to_string(&report)? } else { report.to_string() })?;
    if !is_through {
        bail!("stopped between two batches: what was stored stays, and the same command goes on from there");
    }
    match report.refused {
        0 => Ok(Exit::Done),
        refused => bail!("files or members of archives that were refused: {refused}. Everything else was stored"),
    }
}

struct Import<'a> {
    store: &'a Store,
    report: Report,
    progress: ImportProgress,
}

impl Import<'_> {
    async fn take_over(&mut self, batch: Batch) -> anyhow::Result<()> {
        let Batch { file, members, refused, is_end_of_file } = batch;
        let killmails: Vec<ArchivedKillmail<'_>> = members.iter().map(archived).collect();
        let stored = self.store.backfill(&killmails).await.map_err(from_store)?;
        let report = &mut self.report;
        report.files += u64::from(is_end_of_file);
        report.killmails += members.len() as u64;
        report.stored += stored.stored;
        report.already_stored += stored.already_stored;
        for (killmail_id, reason) in stored.refused {
            report.refuse(Refusal { file: file.to_string(), member: Some(format!("killmail {killmail_id}")), reason });
        }
        for refusal in refused {
            report.refuse(refusal);
        }
        for Member { reference, body, .. } in members.iter().filter(|member| member.tells_of_another_hash()) {
            report.telling_of_another_hash += 1;
            self.progress.beside(|| {
                let (id, hash) = (body.killmail_id.get(), reference.killmail_hash.as_str());
                warn!(killmail.id = id, killmail.hash = hash, "the body tells of another hash than the archive");
            });
        }
        Ok(())
    }
}

fn archived(member: &Member) -> ArchivedKillmail<'_> {
    let Member { reference, body } = member;
    let killmail =
        NewKillmail { killmail_time: body.killmail_time, solar_system_id: body.solar_system_id, json: &body.json };
    ArchivedKillmail { reference, killmail }
}
