//! What happened, in order: a running hash always, the last lines always, the whole text if asked for.

use std::collections::VecDeque;
use std::fmt::Write;

const LAST_COUNT: usize = 60;

#[derive(Clone, Copy)]
struct Line {
    now_ns: u64,
    what: &'static str,
    a: u64,
    b: u64,
}

pub struct Trace {
    hash: u64,
    event_count: u64,
    last: VecDeque<Line>,
    text: Option<String>,
}

impl Trace {
    pub fn new(with_text: bool) -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, event_count: 0, last: VecDeque::with_capacity(LAST_COUNT), text: with_text.then(String::new) }
    }

    pub fn add(&mut self, now_ns: u64, what: &'static str, a: u64, b: u64) {
        self.event_count += 1;
        self.mix(now_ns);
        self.mix(what.as_bytes()[0] as u64 ^ ((what.len() as u64) << 8));
        self.mix(a);
        self.mix(b);
        if self.last.len() == LAST_COUNT {
            self.last.pop_front();
        }
        let line = Line { now_ns, what, a, b };
        self.last.push_back(line);
        if let Some(text) = &mut self.text {
            write_line(text, line);
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn event_count(&self) -> u64 {
        self.event_count
    }

    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or("")
    }

    pub fn last_lines(&self) -> String {
        let mut out = String::new();
        for line in &self.last {
            write_line(&mut out, *line);
        }
        out
    }
}

fn write_line(out: &mut String, line: Line) {
    let _ = writeln!(out, "{}.{:09} {} {} {}", line.now_ns / 1_000_000_000, line.now_ns % 1_000_000_000, line.what, line.a, line.b);
}
