//! JSON text as one flat list of values that lie in it.
//!
//! A folder of definitions is megabytes of concept sets of which a few numbers
//! matter: a tree with a map an object and a string a key costs ten times what
//! one walk over the text costs. Texts are slices; only those with escapes are
//! copied.

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 127;

/// One value; an object is followed by its keys and values in turn, a list by
/// its values.
#[derive(Debug, Clone, Copy)]
enum Item {
    Null,
    True,
    False,
    Number {
        start: u32,
        end: u32,
    },
    /// Of the text.
    Text {
        start: u32,
        end: u32,
    },
    /// Of the texts that had escapes.
    Unescaped {
        start: u32,
        end: u32,
    },
    Object {
        end: u32,
    },
    List {
        end: u32,
    },
}

/// A JSON text, read.
#[derive(Debug)]
pub(super) struct Document<'a> {
    text: &'a str,
    unescaped: String,
    items: Vec<Item>,
}

/// One value of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    document: &'a Document<'a>,
    place: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind<'a> {
    Null,
    Truth(bool),
    /// As it is written.
    Number(&'a str),
    Text(&'a str),
    Object,
    List,
}

impl<'a> Document<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// What `serde_json` says of a text that is no JSON.
    pub(super) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        if let Some(document) = Reader::new(text).read() {
            return Ok(document);
        }
        let found: Result<serde_json::Value, _> = serde_json::from_str(text);
        Err(match found {
            Err(error) => error,
            Ok(_) => serde::de::Error::custom("more than a definition may be"),
        })
    }

    pub(super) fn root(&'a self) -> Value<'a> {
        Value { document: self, place: 0 }
    }

    fn slice(&'a self, item: Item) -> &'a str {
        match item {
            Item::Text { start, end } | Item::Number { start, end } => {
                &self.text[start as usize..end as usize]
            }
            Item::Unescaped { start, end } => &self.unescaped[start as usize..end as usize],
            _ => "",
        }
    }

    /// The place after a value.
    fn after(&self, place: u32) -> u32 {
        match self.items[place as usize] {
            Item::Object { end } | Item::List { end } => end,
            _ => place + 1,
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn kind(self) -> Kind<'a> {
        match self.item() {
            Item::Null => Kind::Null,
            Item::True => Kind::Truth(true),
            Item::False => Kind::Truth(false),
            item @ Item::Number { .. } => Kind::Number(self.document.slice(item)),
            item @ (Item::Text { .. } | Item::Unescaped { .. }) => {
                Kind::Text(self.document.slice(item))
            }
            Item::Object { .. } => Kind::Object,
            Item::List { .. } => Kind::List,
        }
    }

    fn item(self) -> Item {
        self.document.items[self.place as usize]
    }

    /// The keys and values of an object; nothing of anything else.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let document = self.document;
        let (mut place, end) = match self.item() {
            Item::Object { end } => (self.place + 1, end),
            _ => (0, 0),
        };
        std::iter::from_fn(move || {
            if place >= end {
                return None;
            }
            let key = document.slice(document.items[place as usize]);
            let value = Value { document, place: place + 1 };
            place = document.after(place + 1);
            Some((key, value))
        })
    }

    /// The values of a list; nothing of anything else.
    pub(super) fn elements(self) -> impl Iterator<Item = Value<'a>> {
        let document = self.document;
        let (mut place, end) = match self.item() {
            Item::List { end } => (self.place + 1, end),
            _ => (0, 0),
        };
        std::iter::from_fn(move || {
            if place >= end {
                return None;
            }
            let value = Value { document, place };
            place = document.after(place);
            Some(value)
        })
    }

    /// The value of a key; of several the last counts.
    pub(super) fn get(self, key: &str) -> Option<Value<'a>> {
        self.entries().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }
}

/// What may come next within a container.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Object,
    List,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    unescaped: String,
    items: Vec<Item>,
    /// The open containers: what they are, and where.
    open: Vec<(Within, usize)>,
}

/// Every method gives `None` where the text is no JSON.
impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            unescaped: String::new(),
            items: Vec::with_capacity(text.len() / 24 + 8),
            open: Vec::new(),
        }
    }

    fn read(mut self) -> Option<Document<'a>> {
        // Places are 32-bit numbers.
        if u32::try_from(self.text.len()).is_err() {
            return None;
        }
        self.spaces();
        loop {
            if self.value()? {
                continue;
            }
            if !self.after_value()? {
                break;
            }
        }
        self.spaces();
        (self.at == self.bytes.len()).then_some(Document {
            text: self.text,
            unescaped: self.unescaped,
            items: self.items,
        })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str, item: Item) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        if !rest.starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        self.items.push(item);
        Some(())
    }

    /// One value, or the start of one: true if a container was opened that is
    /// not empty, and its first value comes next.
    fn value(&mut self) -> Option<bool> {
        match self.peek()? {
            b'"' => self.string()?,
            b'{' => return self.container(Within::Object),
            b'[' => return self.container(Within::List),
            b't' => self.literal("true", Item::True)?,
            b'f' => self.literal("false", Item::False)?,
            b'n' => self.literal("null", Item::Null)?,
            _ => self.number()?,
        }
        Some(false)
    }

    fn container(&mut self, within: Within) -> Option<bool> {
        if self.open.len() >= DEPTH_MAX {
            return None;
        }
        let place = self.items.len();
        let (item, close) = match within {
            Within::Object => (Item::Object { end: 0 }, b'}'),
            Within::List => (Item::List { end: 0 }, b']'),
        };
        self.items.push(item);
        self.at += 1;
        self.spaces();
        if self.peek()? == close {
            self.at += 1;
            self.close(within, place);
            return Some(false);
        }
        self.open.push((within, place));
        if within == Within::Object {
            self.key()?;
        }
        Some(true)
    }

    fn close(&mut self, within: Within, place: usize) {
        let end = self.items.len() as u32;
        self.items[place] = match within {
            Within::Object => Item::Object { end },
            Within::List => Item::List { end },
        };
    }

    /// A key, up to its value.
    fn key(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.string()?;
        self.spaces();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        self.spaces();
        Some(())
    }

    /// What stands after a value: true if another value follows, false if the
    /// outermost one is done.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            let Some((within, place)) = self.open.last().copied() else { return Some(false) };
            self.spaces();
            match (self.peek()?, within) {
                (b',', Within::Object) => {
                    self.at += 1;
                    self.spaces();
                    self.key()?;
                    return Some(true);
                }
                (b',', Within::List) => {
                    self.at += 1;
                    self.spaces();
                    return Some(true);
                }
                (b'}', Within::Object) | (b']', Within::List) => {
                    self.at += 1;
                    self.open.pop();
                    self.close(within, place);
                }
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        let start = self.at;
        self.at += plain_run(&self.bytes[start..]);
        match self.peek()? {
            b'"' => {
                self.items.push(Item::Text { start: start as u32, end: self.at as u32 });
                self.at += 1;
                Some(())
            }
            b'\\' => self.escaped(start),
            // A control character.
            _ => None,
        }
    }

    /// The rest of a text from its first escape on.
    fn escaped(&mut self, start: usize) -> Option<()> {
        let first = self.unescaped.len();
        self.unescaped.push_str(&self.text[start..self.at]);
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    let escape = self.peek()?;
                    self.at += 1;
                    let plain = match escape {
                        b'"' | b'\\' | b'/' => char::from(escape),
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'u' => self.unicode()?,
                        _ => return None,
                    };
                    self.unescaped.push(plain);
                }
                ..0x20 => return None,
                _ => {
                    let run = plain_run(&self.bytes[self.at..]);
                    self.unescaped.push_str(&self.text[self.at..self.at + run]);
                    self.at += run;
                }
            }
        }
        self.at += 1;
        let end = self.unescaped.len() as u32;
        self.items.push(Item::Unescaped { start: first as u32, end });
        Some(())
    }

    /// What follows `\u`, with its other half where it is one of a pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first);
        }
        if !self.bytes.get(self.at..)?.starts_with(b"\\u") {
            return None;
        }
        self.at += 2;
        let second = self.four_digits()?;
        if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn four_digits(&mut self) -> Option<u32> {
        let mut number = 0;
        for _ in 0..4 {
            number = number * 16 + char::from(self.peek()?).to_digit(16)?;
            self.at += 1;
        }
        Some(number)
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            is_whole = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
            is_whole = false;
        }
        // A number that no 64-bit one comes near is none.
        if !is_whole || self.at - start > 300 {
            let number: f64 = self.text[start..self.at].parse().ok()?;
            if !number.is_finite() {
                return None;
            }
        }
        self.items.push(Item::Number { start: start as u32, end: self.at as u32 });
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// How many bytes come before a quote, a backslash or a control character,
/// eight at a time.
#[inline]
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is below `n`; right up to the first such
    // byte, which is all that is asked.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
    let mut at = 0;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        let found = below(word, 0x20)
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | ..0x20);
    at + words.remainder().iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow way: a tree.
    fn tree(value: Value) -> serde_json::Value {
        match value.kind() {
            Kind::Null => serde_json::Value::Null,
            Kind::Truth(truth) => truth.into(),
            Kind::Number(text) => serde_json::from_str(text).unwrap(),
            Kind::Text(text) => text.into(),
            Kind::Object => {
                let entries = value.entries().map(|(key, value)| (key.to_owned(), tree(value)));
                serde_json::Value::Object(entries.collect())
            }
            Kind::List => value.elements().map(tree).collect(),
        }
    }

    fn agree(text: &str) {
        let expected: Result<serde_json::Value, _> = serde_json::from_str(text);
        let read = Document::read(text);
        match (&read, expected) {
            (Ok(document), Ok(expected)) => assert_eq!(tree(document.root()), expected, "{text}"),
            (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string()),
            (read, expected) => panic!("{text}: {read:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn odd_texts_are_read_as_serde_reads_them() {
        let texts = [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "[1 2]",
            "{\"a\" 1}",
            "{1:2}",
            "01",
            "-",
            "-0",
            "1.",
            ".5",
            "1e5",
            "1e999",
            "1E-400",
            "\"\\u00e9\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\udc00\\ud800\"",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"unfinished",
            "nul",
            "nulls",
            "true false",
            "{\"a\":1,\"a\":{\"b\":[]}}",
            "[[],{},[{}]]",
            "\u{feff}1",
            "[1]x",
            "12345678901234567890123",
            "\"naïve ✓ text beyond eight bytes\"",
            "{\"\":\"\"}",
        ];
        texts.into_iter().for_each(agree);
        for depth in [126, 127, 128, 200] {
            agree(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        }
        agree(&"9".repeat(400));
    }

    #[test]
    fn of_two_equal_keys_the_last_counts() {
        let document = Document::read("{\"a\":1,\"b\":2,\"a\":[3]}").unwrap();
        assert_eq!(document.root().get("a").map(Value::kind), Some(Kind::List));
        assert!(document.root().get("c").is_none());
    }

    proptest! {
        /// Random texts of JSON's own characters, most of them no JSON.
        #[test]
        fn any_text_is_read_as_serde_reads_it(text in r#"[\[\]{}",:\\untrfals0-9eE.+ é-]{0,24}"#) {
            agree(&text);
        }

        /// Random trees, with one character changed.
        #[test]
        fn damaged_trees_are_read_as_serde_reads_them(
            words in prop::collection::vec("[a-z\"\\\\\n é]{0,12}", 1..6),
            number in any::<f64>(),
            place in any::<prop::sample::Index>(),
            other in prop::sample::select(vec!['"', '\\', ',', ':', '{', '}', '[', ']', '1', ' ']),
        ) {
            let inner: serde_json::Map<_, _> =
                words.iter().map(|word| (word.clone(), number.into())).collect();
            let tree = serde_json::json!({ "a": words, "b": [inner, null, true, -3] });
            for text in [tree.to_string(), serde_json::to_string_pretty(&tree).unwrap()] {
                agree(&text);
                let mut letters: Vec<char> = text.chars().collect();
                let place = place.index(letters.len());
                letters[place] = other;
                agree(&letters.into_iter().collect::<String>());
            }
        }
    }
}
