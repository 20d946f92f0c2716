//! The rows of a backup on their way out, and back in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use object_store::buffered::BufWriter;
use sha2::{Digest, Sha256};
use tidings_store::{JobId, TenantId};
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use crate::BackupError;
use crate::manifest::{Data, Manifest, RowCounts, hex};
use crate::row::{RECORD_SEPARATOR, ROW_BYTES_MAX, Row};
use crate::target::{BackupTarget, DATA};

/// Packs rows and sends them to the target. Nothing is there before [`ArchiveWriter::finish`] has returned.
pub(crate) struct ArchiveWriter {
    output: BufWriter,
    packer: Packer,
    hash: Sha256,
    bytes: u64,
}

struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    counts: RowCounts,
    unpacked_bytes: u64,
}

impl ArchiveWriter {
    pub(crate) fn new(target: &BackupTarget, tenant: &TenantId, id: JobId) -> ArchiveWriter {
        ArchiveWriter {
            output: target.writer(tenant, id),
            packer: Packer {
                encoder: GzEncoder::new(Vec::new(), Compression::default()),
                counts: RowCounts::default(),
                unpacked_bytes: 0,
            },
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Packs rows, away from the tasks that serve connections, and sends what is ready.
    pub(crate) async fn write(mut self, rows: Vec<Row>) -> Result<ArchiveWriter, BackupError> {
        let mut packer = self.packer;
        let (packer, ready) = spawn_blocking(move || {
            packer.pack(&rows)?;
            let ready = std::mem::take(packer.encoder.get_mut());
            Ok::<_, std::io::Error>((packer, ready))
        })
        .await
        .map_err(BackupError::target)?
        .map_err(BackupError::target)?;
        self.packer = packer;
        self.send(ready).await
    }

    async fn send(mut self, packed: Vec<u8>) -> Result<ArchiveWriter, BackupError> {
        self.hash.update(&packed);
        self.bytes += packed.len() as u64;
        self.output.put(packed.into()).await?;
        Ok(self)
    }

    /// Puts the whole in its place.
    pub(crate) async fn finish(mut self) -> Result<(Data, RowCounts), BackupError> {
        self.packer.encoder.try_finish().map_err(BackupError::target)?;
        let packed = std::mem::take(self.packer.encoder.get_mut());
        let mut written = self.send(packed).await?;
        written.output.shutdown().await.map_err(BackupError::target)?;
        let data = Data {
            name: DATA.to_owned(),
            bytes: written.bytes,
            sha256: hex(&written.hash.finalize()),
            unpacked_bytes: written.packer.unpacked_bytes,
        };
        Ok((data, written.packer.counts))
    }
}

impl Packer {
    fn pack(&mut self, rows: &[Row]) -> std::io::Result<()> {
        let mut text = Vec::new();
        for row in rows {
            row.write(&mut text)?;
            row.count(&mut self.counts);
        }
        self.unpacked_bytes += text.len() as u64;
        self.encoder.write_all(&text)
    }
}

/// A backup's rows in a temporary file, checked against the manifest.
pub(crate) struct Archive {
    manifest: Manifest,
    file: File,
}

impl Archive {
    /// Fetches the rows of a backup. What is cut off, longer or altered is [`BackupError::Damaged`].
    pub(crate) async fn fetch(target: &BackupTarget, manifest: Manifest) -> Result<Archive, BackupError> {
        let damaged = |what: &str| BackupError::damaged(manifest.id, what);
        let mut parts = target.read(&manifest).await?;
        let mut file = tempfile::tempfile().map_err(BackupError::target)?;
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        while let Some(part) = parts.next().await {
            let part = part?;
            bytes += part.len() as u64;
            if bytes > manifest.data.bytes {
                return Err(damaged("its data is longer than its manifest says"));
            }
            hash.update(&part);
            file.write_all(&part).map_err(BackupError::target)?;
        }
        if bytes < manifest.data.bytes {
            return Err(damaged("its data is cut off"));
        }
        if hex(&hash.finalize()) != manifest.data.sha256 {
            return Err(damaged("its data does not hash to what its manifest says"));
        }
        Ok(Archive { manifest, file })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads all rows, in their order. Blocks. Rows that are none, too many or too few are [`BackupError::Damaged`].
    pub(crate) fn read(
        &mut self,
        mut each: impl FnMut(Row) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let id = self.manifest.id;
        let damaged = |what: String| BackupError::damaged(id, what);
        self.file.seek(SeekFrom::Start(0)).map_err(BackupError::target)?;
        let unpacked = GzDecoder::new(BufReader::new(&self.file)).take(self.manifest.data.unpacked_bytes);
        let mut unpacked = BufReader::with_capacity(64 * 1024, unpacked);
        let mut counts = RowCounts::default();
        let (mut text, mut bytes) = (Vec::new(), 0);
        loop {
            text.clear();
            let read = (&mut unpacked)
                .take(ROW_BYTES_MAX as u64 + 1)
                .read_until(RECORD_SEPARATOR, &mut text)
                .map_err(|error| damaged(format!("its data does not unpack: {error}")))?;
            bytes += read as u64;
            let is_last = text.pop_if(|last| *last == RECORD_SEPARATOR).is_none();
            if text.len() > ROW_BYTES_MAX {
                return Err(damaged("it holds a row that is too long".to_owned()));
            }
            // Nothing stands before the first separator.
            if !text.is_empty() {
                let row = Row::read(&text, &self.manifest.tenant_id)
                    .map_err(|what| damaged(format!("row {}: {what}", counts.total() + 1)))?;
                row.count(&mut counts);
                each(row)?;
            }
            if is_last {
                break;
            }
        }
        if counts != self.manifest.rows || bytes != self.manifest.data.unpacked_bytes {
            return Err(damaged("it holds other rows than its manifest says".to_owned()));
        }
        Ok(())
    }
}
