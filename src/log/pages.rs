//! Checks of column pages before decoding.
//!
//! A damaged file must not end the process.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;

/// Hands on the pages of a column; a page that needs a dictionary which never came is an error. (The library takes for
/// granted that it came.)
struct CheckedPages {
    pages: Box<dyn PageReader>,
    dictionary: bool,
}

/// The reader of one column of a row group.
///
/// # Errors
/// When the group has no such column.
pub(super) fn column_reader(group: &dyn RowGroupReader, place: usize) -> Result<ColumnReader> {
    let pages = CheckedPages { pages: group.get_column_page_reader(place)?, dictionary: false };
    Ok(get_column_reader(group.metadata().schema_descr().column(place), Box::new(pages)))
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match &page {
            Some(Page::DictionaryPage { .. }) => self.dictionary = true,
            Some(data) if !self.dictionary && is_dictionary(data.encoding()) => {
                return Err(ParquetError::General("a page without the dictionary that it needs".to_owned()));
            }
            _ => {}
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

fn is_dictionary(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY)
}
