//! `tidings lead`: leads from files and into files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tidings_flow::import::{self, ImportResult};
use tidings_store::{
    Actor, ImportedLead, LEAD_IMPORT_MAX, LEAD_PAGE_MAX, Lead, LeadFilter, NewAuditEntry, Store, TenantId,
};

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::opening;
use crate::time::now;

/// The longest line of a file. A payload has 256 KiB at most.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// The columns of a table; what else a lead has stands in the last one, as JSON.
const COLUMNS: [&str; 11] = [
    "id",
    "source",
    "status",
    "name",
    "email",
    "company",
    "phone",
    "notes",
    "createdAt",
    "updatedAt",
    "payload",
];

/// What to do with leads.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LeadCommand {
    /// Add the leads of a file to a tenant's; rows that are no lead are told by their line, the others are kept
    Import(Import),
    /// Write a tenant's leads, newest first
    Export(Export),
}

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

/// Write leads.
#[derive(Debug, Clone, Args)]
pub(crate) struct Export {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// The form
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// The file; the standard output if not given
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table whose first row names the columns (RFC 4180)
    Csv,
    /// A JSON object on each line
    Jsonl,
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    result: ImportResult,
}

fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|error| error.to_string())
}

impl LeadCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let store = opening::store(config).await?;
            let done = match self {
                Self::Import(import) => import.run(&store).await,
                Self::Export(export) => export.run(&store).await,
            };
            store.close().await;
            done
        })
    }
}

impl Import {
    async fn run(self, store: &Store) -> Outcome {
        if store
            .tenant(&self.tenant)
            .await
            .map_err(opening::failure)?
            .is_none()
        {
            return Err(Failure::usage(format!("there is no tenant {}", self.tenant)));
        }
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
        importing.flush().await?;
        let result = importing.result;
        bar.finish_and_clear();
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = import::completed(&self.tenant, result, duration_ms, now());
        store
            .put_in_outbox(&self.tenant, event)
            .await
            .map_err(opening::failure)?;
        let detail = serde_json::value::to_raw_value(&Told { result })
            .map_err(|error| Failure::Internal(error.into()))?;
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

impl Export {
    async fn run(self, store: &Store) -> Outcome {
        if store
            .tenant(&self.tenant)
            .await
            .map_err(opening::failure)?
            .is_none()
        {
            return Err(Failure::usage(format!("there is no tenant {}", self.tenant)));
        }
        let output: Box<dyn Write> = match &self.output {
            None => Box::new(io::stdout().lock()),
            Some(path) => Box::new(
                File::create_new(path)
                    .with_context(|| format!("cannot make {}", path.display()))
                    .map_err(Failure::Usage)?,
            ),
        };
        let mut output = Writer::new(BufWriter::new(output), self.format)?;
        let all = LeadFilter::default();
        let (mut cursor, mut bar) = (None, None);
        loop {
            let page = store
                .list_leads(&self.tenant, &all, LEAD_PAGE_MAX, cursor.as_ref())
                .await;
            let page = page.map_err(opening::failure)?;
            let bar = bar.get_or_insert_with(|| progress_of_leads(page.total));
            for lead in &page.leads {
                output.write(lead)?;
            }
            bar.inc(page.leads.len() as u64);
            cursor = page.next_cursor;
            if cursor.is_none() {
                bar.finish_and_clear();
                return output.finish();
            }
        }
    }
}

/// Leads on their way into a file.
enum Writer<W: Write> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Writer<W> {
    fn new(output: W, format: Format) -> Outcome<Writer<W>> {
        Ok(match format {
            Format::Jsonl => Writer::Jsonl(output),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(output);
                table
                    .write_record(COLUMNS)
                    .map_err(|error| Failure::Internal(error.into()))?;
                Writer::Csv(Box::new(table))
            }
        })
    }

    fn write(&mut self, lead: &Lead) -> Outcome {
        match self {
            Writer::Jsonl(output) => {
                serde_json::to_writer(&mut *output, lead).map_err(|error| Failure::Internal(error.into()))?;
                writeln!(output)?;
            }
            Writer::Csv(table) => {
                let text = |key| lead.payload.text(key).unwrap_or_default();
                table
                    .write_record([
                        &lead.id.to_string(),
                        lead.source.as_str(),
                        lead.status.as_str(),
                        &text("name"),
                        &text("email"),
                        &text("company"),
                        &text("phone"),
                        &text("notes"),
                        &lead.created_at.to_string(),
                        &lead.updated_at.to_string(),
                        lead.payload.as_raw().get(),
                    ])
                    .map_err(|error| Failure::Internal(error.into()))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Outcome {
        match self {
            Writer::Jsonl(mut output) => output.flush()?,
            Writer::Csv(mut table) => table.flush()?,
        }
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

fn progress_of_leads(leads: u64) -> ProgressBar {
    with_style(ProgressBar::new(leads), "{bar:40} {pos}/{len} leads  {eta} left")
}

fn with_style(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).expect("Invariant: the templates are well-formed"))
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
