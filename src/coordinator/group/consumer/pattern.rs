//! Regular expressions of consumers: RE2's syntax, as Kafka's RE2/J reads it, against whole names of topics.
//!
//! The engine's own syntax takes more than RE2's and means other things in places; [`translated`] says the same in it or refuses. Names are ASCII, so
//! classes are. Pure.

use crate::config::limits;
use regex::bytes::{Regex, RegexBuilder};

/// RE2's own bound on `{n,m}`.
const REPEAT_MAX: u32 = 1000;

/// See the module.
pub struct Pattern(Regex);

impl Pattern {
    /// Else what is wrong with it.
    pub fn compile(text: &str) -> Result<Pattern, String> {
        if text.len() > limits::REGEX_LEN_MAX {
            return Err(format!("longer than {} bytes", limits::REGEX_LEN_MAX));
        }
        let whole = format!(r"\A(?:{})\z", translated(text)?);
        let build = |unicode| RegexBuilder::new(&whole).unicode(unicode).size_limit(limits::REGEX_BYTES_MAX).build();
        // What is beyond ASCII in a class is for the other mode alone; it matches no name.
        build(false).or_else(|_| build(true)).map(Pattern).map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }

    pub fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

fn translated(text: &str) -> Result<String, String> {
    let mut translator = Translator { rest: text, out: String::with_capacity(text.len() + 16), depth: 0, is_repeated: false };
    while let Some(c) = translator.next() {
        translator.one(c)?;
    }
    Ok(translator.out)
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    /// Of groups that are open.
    depth: usize,
    /// What was last is a repetition, which cannot be repeated.
    is_repeated: bool,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, what: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(what) else { return false };
        self.rest = rest;
        self.out.push_str(what);
        true
    }

    fn one(&mut self, c: char) -> Result<(), String> {
        let was_repeated = std::mem::replace(&mut self.is_repeated, false);
        match c {
            '\\' if self.rest.starts_with('Q') => self.quoted(),
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.open()?,
            ')' => {
                self.depth = self.depth.checked_sub(1).ok_or("unexpected )")?;
                self.out.push(c);
            }
            '*' | '+' | '?' => {
                self.out.push(c);
                self.repetition(was_repeated)?;
            }
            '{' => match counts(self.rest) {
                None => self.out.push_str("\\{"),
                Some((counts, _)) if counts.iter().any(|count| *count > REPEAT_MAX) => return Err("invalid repeat count".into()),
                Some((_, len)) => {
                    self.out.push(c);
                    self.out.push_str(&self.rest[..len]);
                    self.rest = &self.rest[len..];
                    self.repetition(was_repeated)?;
                }
            },
            _ => self.out.push(c),
        }
        Ok(())
    }

    fn repetition(&mut self, was_repeated: bool) -> Result<(), String> {
        if was_repeated {
            return Err("invalid nested repetition operator".into());
        }
        self.take("?");
        self.is_repeated = true;
        Ok(())
    }

    /// `\Q` to `\E`, or to the end.
    fn quoted(&mut self) {
        let text = &self.rest[1..];
        let (quoted, rest) = text.split_once("\\E").unwrap_or((text, ""));
        self.out.push_str(&regex::escape(quoted));
        self.rest = rest;
    }

    fn escape(&mut self) -> Result<(), String> {
        let invalid = |c: char| Err(format!("invalid escape sequence: \\{c}"));
        let c = self.next().ok_or("trailing backslash")?;
        match c {
            '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                // A digit alone would be a back reference.
                if c != '0' && more == 0 {
                    return invalid(c);
                }
                let code = self.rest[..more].bytes().fold(c as u32 - 48, |code, digit| code * 8 + u32::from(digit - b'0'));
                self.out.push_str(&format!("\\x{{{code:x}}}"));
                self.rest = &self.rest[more..];
            }
            '8' | '9' | 'u' | 'U' | 'E' | 'Q' => return invalid(c),
            '<' | '>' => self.out.push(c),
            _ => self.out.extend(['\\', c]),
        }
        Ok(())
    }

    /// `(` and what belongs to it.
    fn open(&mut self) -> Result<(), String> {
        self.out.push('(');
        self.depth += 1;
        if !self.rest.starts_with('?') {
            return Ok(());
        }
        let is_look_behind = self.rest.starts_with("?<=") || self.rest.starts_with("?<!");
        if self.take("?:") || self.take("?P<") || (!is_look_behind && self.take("?<")) {
            return Ok(());
        }
        let end = self.rest.find([')', ':']).filter(|end| *end > 1);
        let end = end.filter(|end| self.rest[1..*end].chars().all(|flag| "imsU-".contains(flag)));
        let end = end.ok_or("invalid or unsupported Perl syntax")?;
        if self.rest[end..].starts_with(')') {
            self.depth -= 1;
        }
        self.out.push_str(&self.rest[..=end]);
        self.rest = &self.rest[end + 1..];
        Ok(())
    }

    /// `[` to `]`; RE2's classes are not nested, nor intersected or subtracted.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        self.take("^");
        let (mut is_first, mut is_range) = (true, false);
        loop {
            let was_range = std::mem::replace(&mut is_range, false);
            match self.next().ok_or("missing closing ]")? {
                ']' if !is_first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(0, |at| at + 2);
                    self.out.push('[');
                    self.out.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
                '\\' => self.escape()?,
                '-' if !is_first && !was_range => {
                    self.out.push('-');
                    is_range = true;
                }
                c @ (']' | '[' | '&' | '~' | '-') => self.out.extend(['\\', c]),
                c => self.out.push(c),
            }
            is_first = false;
        }
    }
}

/// `n}`, `n,}` or `n,m}` at the beginning of `text`, and its length; else the brace before it is a brace.
fn counts(text: &str) -> Option<(Vec<u32>, usize)> {
    let end = text.find('}')?;
    let (low, high) = text[..end].split_once(',').unwrap_or((&text[..end], ""));
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if low.is_empty() || !is_number(low) || !is_number(high) {
        return None;
    }
    let numbers = [low, high].into_iter().filter(|text| !text.is_empty());
    Some((numbers.map(|text| text.parse().unwrap_or(u32::MAX)).collect(), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let compiled = Pattern::compile(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        matching.iter().for_each(|name| assert!(compiled.is_match(name), "{pattern} does not match {name}"));
        others.iter().for_each(|name| assert!(!compiled.is_match(name), "{pattern} matches {name}"));
    }

    #[test]
    fn the_whole_name_matches() {
        check("orders", &["orders"], &["orders2", "my-orders"]);
        check("a|bc", &["a", "bc"], &["ac", "abc"]);
        check("(?i)Orders-\\d+", &["orders-1", "ORDERS-22"], &["orders-"]);
        check("(?m)a$", &["a"], &["a\nb"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn what_rust_reads_otherwise_means_what_re2_reads() {
        check(r"\Qa.b\E.*", &["a.b", "a.bc"], &["axb"]);
        check("a{,2}", &["a{,2}"], &["a", "aa"]);
        check("a{x", &["a{x"], &[]);
        check("[[.]a", &["[a", ".a"], &["xa"]);
        check("[a&&b]", &["a", "&", "b"], &[]);
        check("[+--]", &["+", ",", "-"], &["."]);
        check("[--/a]", &["-", ".", "/", "a"], &["b"]);
        check("[]a-]", &["]", "a", "-"], &["b"]);
        check("[[:alpha:]_]+", &["ab_"], &["a1"]);
        check(r"\101\<\x{42}", &["A<B"], &[]);
        check(r"\w+", &["az_09"], &["\u{e9}", "a-b"]);
        check("[\u{e9}a]", &["a"], &["b"]);
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "(a", "a)", "a)|(b", "[a", "a**", "a*+", "a{2}{3}", "*a", "a{1001}", r"(a)\1", "(?=a)", "(?<!a)b", "(?x)a", "(?P=n)", "\\",
            r"\u0041", r"\Z", r"\E",
        ] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_more_than_its_bounds() {
        assert!(Pattern::compile(&"a".repeat(limits::REGEX_LEN_MAX + 1)).is_err());
        assert!(Pattern::compile("((a{0,100}b{0,100}){0,100}){0,100}").is_err());
        let names: Vec<String> = (0..100).map(|topic| format!("orders-of-the-region-{topic}")).collect();
        check(&names.join("|"), &["orders-of-the-region-99"], &["orders-of-the-region-100"]);
    }
}
