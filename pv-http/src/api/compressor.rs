//! Compressing an answer block by block, off the async runtime, where its blocks are made.

use std::{
    io::{self, Write},
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::query::ContentCoding;

/// The level of zstd, at which compressing is faster than most networks.
const ZSTD_LEVEL: i32 = 1;
/// How many answers are compressed at once: each takes up to 1.5 MB. Further ones are sent plain.
const COMPRESSORS_MAX: usize = 16;

/// Gives compressors to as many answers as may have one.
#[derive(Debug, Clone)]
pub(super) struct Compressors(Arc<Semaphore>);

impl Default for Compressors {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(COMPRESSORS_MAX)))
    }
}

impl Compressors {
    /// Returns one, if there is one left.
    pub(super) fn get(&self, coding: ContentCoding) -> Option<Compressor> {
        let permit = self.0.clone().try_acquire_owned().ok()?;
        let encoder = match coding {
            ContentCoding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            ContentCoding::Zstd => Encoder::Zstd(zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).ok()?),
        };
        Some(Compressor { coding, encoder, _permit: permit })
    }
}

/// Compresses one answer.
pub(super) struct Compressor {
    coding: ContentCoding,
    encoder: Encoder,
    _permit: OwnedSemaphorePermit,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Compressor {
    pub(super) fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// Returns the next block compressed, so that a client can read all of it now.
    pub(super) fn block(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.encoder {
            Encoder::Gzip(encoder) => {
                encoder.write_all(block)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Encoder::Zstd(encoder) => {
                encoder.write_all(block)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// Returns the last block compressed, with the end.
    pub(super) fn last(self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self.encoder {
            Encoder::Gzip(mut encoder) => {
                encoder.write_all(block)?;
                encoder.finish()
            }
            Encoder::Zstd(mut encoder) => {
                encoder.write_all(block)?;
                encoder.finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_client_can_read_each_block_when_it_has_come_and_all_of_them_in_the_end() {
        let blocks = ["one ".repeat(9000), "two".into(), String::new(), "three ".repeat(20_000)];
        for coding in [ContentCoding::Gzip, ContentCoding::Zstd] {
            let compressors = Compressors::default();
            let mut compressor = compressors.get(coding).unwrap();
            let mut sent = compressor.block(blocks[0].as_bytes()).unwrap();
            let mut first = vec![0; blocks[0].len()];
            let mut reader: Box<dyn Read + '_> = match coding {
                ContentCoding::Gzip => Box::new(flate2::read::GzDecoder::new(sent.as_slice())),
                ContentCoding::Zstd => Box::new(zstd::Decoder::new(sent.as_slice()).unwrap()),
            };
            reader.read_exact(&mut first).unwrap();
            assert_eq!(first, blocks[0].as_bytes());
            drop(reader);
            sent.extend(compressor.block(blocks[1].as_bytes()).unwrap());
            sent.extend(compressor.block(blocks[2].as_bytes()).unwrap());
            sent.extend(compressor.last(blocks[3].as_bytes()).unwrap());
            let mut all = Vec::new();
            match coding {
                ContentCoding::Gzip => flate2::read::GzDecoder::new(sent.as_slice()).read_to_end(&mut all).unwrap(),
                ContentCoding::Zstd => zstd::Decoder::new(sent.as_slice()).unwrap().read_to_end(&mut all).unwrap(),
            };
            assert_eq!(all, blocks.concat().as_bytes());
        }
    }

    #[test]
    fn g26_only_so_many_answers_are_compressed_at_once() {
        let compressors = Compressors::default();
        let mut held: Vec<_> = (0..COMPRESSORS_MAX).map(|_| compressors.get(ContentCoding::Gzip).unwrap()).collect();
        assert!(compressors.get(ContentCoding::Gzip).is_none());
        held.pop();
        assert!(compressors.get(ContentCoding::Zstd).is_some());
    }
}
