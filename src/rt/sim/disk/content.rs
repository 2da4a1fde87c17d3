//! A file's bytes as shared 4 KiB pages, so that a file's visible and durable versions cost memory only where they differ.

use std::rc::Rc;

pub const PAGE: usize = 4096;

type Page = [u8; PAGE];

thread_local! {
    static ZEROS: Rc<Page> = Rc::new([0; PAGE]);
}

/// Sparse: a missing page reads as zeros and takes no space.
#[derive(Clone, Default)]
pub struct Content {
    pages: Vec<Option<Rc<Page>>>,
    page_count: u64,
}

impl Content {
    /// Pages that take space.
    pub fn page_count(&self) -> u64 {
        self.page_count
    }

    /// Pages that a write or an allocation of this range would add.
    pub fn missing_pages(&self, offset: u64, len: u64) -> u64 {
        page_range(offset, len).filter(|index| !matches!(self.pages.get(*index), Some(Some(_)))).count() as u64
    }

    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        let mut at = offset as usize;
        while out.len() < len {
            let within = at % PAGE;
            let count = (PAGE - within).min(len - out.len());
            match self.pages.get(at / PAGE) {
                Some(Some(page)) => out.extend_from_slice(&page[within..within + count]),
                _ => out.resize(out.len() + count, 0),
            }
            at += count;
        }
        out
    }

    pub fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset as usize;
        while !bytes.is_empty() {
            let within = at % PAGE;
            let (now, rest) = bytes.split_at((PAGE - within).min(bytes.len()));
            let page = self.page_mut(at / PAGE);
            if let Ok(whole) = Page::try_from(now) {
                *page = Rc::new(whole);
            } else {
                Rc::make_mut(page)[within..within + now.len()].copy_from_slice(now);
            }
            at += now.len();
            bytes = rest;
        }
    }

    /// Gives the range space, as zeros where it had none.
    pub fn allocate(&mut self, offset: u64, len: u64) {
        for index in page_range(offset, len) {
            self.page_mut(index);
        }
    }

    /// Takes over another version's pages of the range.
    pub fn share(&mut self, other: &Content, offset: u64, len: u64) {
        for index in page_range(offset, len) {
            let page = other.pages.get(index).cloned().flatten();
            self.set_page(index, page);
        }
    }

    /// Drops everything from `len` on: it reads as zeros.
    pub fn cut(&mut self, len: u64) {
        let (whole, rest) = (len as usize / PAGE, len as usize % PAGE);
        for index in whole + usize::from(rest > 0)..self.pages.len() {
            self.set_page(index, None);
        }
        self.pages.truncate(whole + usize::from(rest > 0));
        if rest > 0
            && let Some(Some(page)) = self.pages.get_mut(whole)
        {
            Rc::make_mut(page)[rest..].fill(0);
        }
    }

    fn page_mut(&mut self, index: usize) -> &mut Rc<Page> {
        if self.pages.len() <= index {
            self.pages.resize(index + 1, None);
        }
        let slot = &mut self.pages[index];
        self.page_count += u64::from(slot.is_none());
        slot.get_or_insert_with(|| ZEROS.with(Rc::clone))
    }

    fn set_page(&mut self, index: usize, page: Option<Rc<Page>>) {
        match page {
            Some(page) => *self.page_mut(index) = page,
            None => {
                if let Some(slot) = self.pages.get_mut(index) {
                    self.page_count -= u64::from(slot.take().is_some());
                }
            }
        }
    }
}

fn page_range(offset: u64, len: u64) -> std::ops::Range<usize> {
    if len == 0 {
        return 0..0;
    }
    offset as usize / PAGE..((offset + len) as usize).div_ceil(PAGE)
}
