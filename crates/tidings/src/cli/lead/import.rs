//! `tidings lead import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use tidings_flow::import::{self, ImportResult};
use tidings_store::{Actor, ImportedLead, LEAD_IMPORT_MAX, Lead, NewAuditEntry, Store, TenantId};

use super::{Format, with_style};
use crate::cli::key::tenant;
use crate::cli::tenant::known;
use crate::failure::{Failure, Outcome};
use crate::opening;
use crate::time::now;

/// The longest line of a file. A payload has 256 KiB at most.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Add leads.
#[derive(Debug, Clone, Args)]
pub(crate) struct Import {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// The file's form; by its ending (.csv, .jsonl, .ndjson) if not given
    #[arg(long)]
    format: Option<Format>,
    /// Tell the tenant's clients of every lead (`LEAD_CREATED`), and not of the import alone
    #[arg(long)]
    events: bool,
    /// The file, or - for the standard input
    file: PathBuf,
}

impl Import {
    pub(super) async fn run(self, store: &Store) -> Outcome {
        known(store, &self.tenant).await?;
        let format = match self.format {
            Some(format) => format,
            None => Format::of(&self.file).ok_or_else(|| {
                Failure::usage("the file's ending tells no form: give --format csv or jsonl".to_owned())
            })?,
        };
        let start = Instant::now();
        let (input, bytes) = open(&self.file)?;
        let bar = progress(bytes);
        let input = BufReader::with_capacity(256 * 1024, bar.wrap_read(input));
        let event = import::started(&self.tenant, now());
        store
            .put_in_outbox(&self.tenant, event)
            .await
            .map_err(opening::failure)?;
        let mut importing = Importing {
            store,
            import: &self,
            bar: &bar,
            leads: Vec::with_capacity(LEAD_IMPORT_MAX),
            result: ImportResult::default(),
        };
        let read = match format {
            Format::Jsonl => importing.lines(input).await,
            Format::Csv => importing.table(input).await,
        };
        // What was read before a file broke off is kept, and told.
        let read = importing.flush().await.and(read);
        let result = importing.result;
        bar.finish_and_clear();
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = import::completed(&self.tenant, result, duration_ms, now());
        store
            .put_in_outbox(&self.tenant, event)
            .await
            .map_err(opening::failure)?;
        let detail =
            serde_json::value::to_raw_value(&result).map_err(|error| Failure::Internal(error.into()))?;
        let entry = NewAuditEntry {
            actor: Actor::command(),
            action: "import_leads",
            outcome: "success",
            detail,
        };
        store
            .append_audit(&self.tenant, &[entry])
            .await
            .map_err(opening::failure)?;
        writeln!(
            io::stdout(),
            "{} leads imported, {} rows refused",
            result.created,
            result.failed
        )?;
        read?;
        if result.failed > 0 && result.created == 0 {
            return Err(Failure::usage("no row was a lead".to_owned()));
        }
        Ok(())
    }
}

/// An import under way.
struct Importing<'a> {
    store: &'a Store,
    import: &'a Import,
    bar: &'a ProgressBar,
    leads: Vec<ImportedLead>,
    result: ImportResult,
}

impl Importing<'_> {
    async fn lines(&mut self, mut input: impl BufRead) -> Outcome {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            if (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
                self.refused(number, "the line is longer than 1 MiB");
                skip_line(&mut input)?;
                continue;
            }
            match std::str::from_utf8(&line) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => self.row(number, import::read_json(text)).await?,
                Err(_) => self.refused(number, "not UTF-8"),
            }
        }
        Ok(())
    }

    async fn table(&mut self, input: impl Read) -> Outcome {
        let mut table = csv::ReaderBuilder::new().flexible(false).from_reader(input);
        let names = table
            .headers()
            .context("the first row")
            .map_err(Failure::Usage)?
            .clone();
        let mut row = csv::StringRecord::new();
        loop {
            let line = table.position().line();
            match table.read_record(&mut row) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    let line = row.position().map_or(line, csv::Position::line);
                    let fields = names
                        .iter()
                        .zip(&row)
                        .filter(|(name, _)| !["id", "updatedAt"].contains(name));
                    self.row(line, import::read_fields(&fields)).await?;
                }
                Err(error) if error.is_io_error() => return Err(Failure::Usage(error.into())),
                Err(error) => self.refused(line, &error.to_string()),
            }
        }
    }

    async fn row(&mut self, line: u64, read: Result<ImportedLead, String>) -> Outcome {
        match read {
            Ok(lead) => self.leads.push(lead),
            Err(why) => self.refused(line, &why),
        }
        if self.leads.len() == LEAD_IMPORT_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    fn refused(&mut self, line: u64, why: &str) {
        self.result.failed += 1;
        self.bar.suspend(|| {
            // Nobody may be reading; the count tells it too.
            let _ = writeln!(io::stderr(), "line {line}: {why}");
        });
    }

    async fn flush(&mut self) -> Outcome {
        if self.leads.is_empty() {
            return Ok(());
        }
        let leads = std::mem::take(&mut self.leads);
        let announce = |lead: &Lead| self.import.events.then(|| import::lead_created(lead));
        let imported = self
            .store
            .import_leads(&self.import.tenant, leads, &Actor::command(), None, announce)
            .await;
        self.result.created += imported.map_err(opening::failure)?.len() as u64;
        self.bar.set_message(format!("{} leads", self.result.created));
        Ok(())
    }
}

impl Format {
    fn of(file: &Path) -> Option<Format> {
        match file.extension()?.to_str()? {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            _ => None,
        }
    }
}

/// The file, and how long it is, if that can be told.
fn open(path: &Path) -> Outcome<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let open = || -> io::Result<_> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    };
    let opened = open().with_context(|| format!("cannot read {}", path.display()));
    let (file, bytes) = opened.map_err(Failure::Usage)?;
    Ok((Box::new(file), Some(bytes)))
}

/// Shown on a terminal only.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:40} {percent:>3} %  {msg}  {eta} left",
        ),
        None => (ProgressBar::no_length(), "{bytes}  {msg}"),
    };
    with_style(bar, template)
}

/// Reads on to the end of a line without keeping it.
fn skip_line(input: &mut impl BufRead) -> Outcome {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (used, is_end) = match memchr::memchr(b'\n', buffer) {
            Some(place) => (place + 1, true),
            None => (buffer.len(), false),
        };
        input.consume(used);
        if is_end {
            return Ok(());
        }
    }
}
