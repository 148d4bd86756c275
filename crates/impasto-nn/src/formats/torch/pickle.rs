//! A pickle machine that builds plain values and runs nothing.
//!
//! Pickle is a small stack language (the opcodes are described in CPython's `Lib/pickletools.py`). A real unpickler
//! imports and calls whatever a file names. This one knows the few names in [`globals`], turns them
//! into data, and refuses the rest.
//!
//! All values lie in one list and refer to each other by number, so shared and even cyclic values cost nothing to
//! drop, and a deeply nested file cannot exhaust the stack.

use std::{collections::HashMap, io::Read};

use super::globals::{self, Global};
use crate::formats::{Dtype, LoadError, source::Label};

/// The longest pickle that is read. A VGG's has 10 kB.
pub(super) const LONGEST: u64 = 16 << 20;

/// The most values that a pickle may make. A VGG's has about 1000.
const MOST_VALUES: usize = 2_000_000;

/// No function that is known here takes more.
const MOST_ARGUMENTS: usize = 8;

/// The longest name of a storage: a number of up to 20 digits.
const LONGEST_KEY: usize = 64;

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

/// What a pickle is made of.
#[derive(Debug)]
pub(super) enum Value {
    /// `None`, and whatever has no meaning here.
    Opaque,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Box<str>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Box<Storage>),
    Tensor(Box<Tensor>),
}

/// A run of numbers that is stored apart from the pickle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    /// Bytes of one element.
    pub(super) width: u64,
    /// Number of elements.
    pub(super) count: u64,
    /// Where it begins in the storage of that key, in elements: not 0 only in old files with views.
    pub(super) begin: u64,
}

/// A window on a storage; counts are elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    pub(super) dtype: Dtype,
    pub(super) offset: u64,
    pub(super) size: Vec<u64>,
    pub(super) stride: Vec<u64>,
}

/// The values of one pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    /// All storages that it refers to, each as often as it does.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage.as_ref()),
            _ => None,
        })
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one pickle up to its end mark, and not a byte more.
pub(super) fn read(reader: &mut impl Read, label: &Label) -> Result<Pickle, LoadError> {
    let mut machine = Machine {
        reader,
        label,
        left: LONGEST,
        copied: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while !machine.step()? {}
    let root = machine.pop()?;
    Ok(Pickle { values: machine.values, root })
}

struct Machine<'a, R> {
    reader: &'a mut R,
    label: &'a Label,
    left: u64,
    /// Values copied from one list to another.
    copied: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<R: Read> Machine<'_, R> {
    /// Carries out one instruction; true after the last.
    fn step(&mut self) -> Result<bool, LoadError> {
        let code = self.byte()?;
        match code {
            b'.' => return Ok(true),
            // Protocol and frame length: the instructions themselves say what they need.
            0x80 => self.take(1).map(drop)?,
            0x95 => self.take(8).map(drop)?,
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.pop().map(drop)?,
            b'1' => self.pop_mark().map(drop)?,
            b'2' => {
                let top = self.peek()?;
                self.stack.push(top);
            }
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(code)?,
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => self.number(code)?,
            b'U' | b'T' | b'X' | 0x8c | 0x8d | b'C' | b'B' | 0x8e => self.string(code)?,
            b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' | 0x8f | 0x91 => self.collection(code)?,
            b'a' | b'e' | b's' | b'u' | 0x90 => self.fill(code)?,
            b'c' | 0x93 => self.global(code)?,
            b'R' | 0x81 => self.call()?,
            // State given to an object, as the metadata of a state dict: not read.
            b'b' => self.pop().map(drop)?,
            b'Q' => self.persistent()?,
            _ => return Err(self.wrong(format!("its pickle has the unknown instruction {code:#04x}"))),
        }
        Ok(false)
    }

    /// `BINPUT`, `LONG_BINPUT`, `MEMOIZE`, `BINGET`, `LONG_BINGET`.
    fn memory(&mut self, code: u8) -> Result<(), LoadError> {
        let key = match code {
            b'q' | b'h' => self.unsigned(1)?,
            b'r' | b'j' => self.unsigned(4)?,
            _ => self.memo.len() as u64,
        };
        if matches!(code, b'h' | b'j') {
            let value = self.memo.get(&key).copied();
            let value = value.ok_or_else(|| self.wrong("its pickle recalls what it never remembered"))?;
            self.stack.push(value);
        } else {
            let top = self.peek()?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    fn number(&mut self, code: u8) -> Result<(), LoadError> {
        let value = match code {
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => Value::Int((self.unsigned(4)? as u32).cast_signed().into()),
            b'K' => Value::Int(self.unsigned(1)?.into()),
            b'M' => Value::Int(self.unsigned(2)?.into()),
            0x8a | 0x8b => {
                let length = self.unsigned(if code == 0x8a { 1 } else { 4 })?;
                long(&self.take(length)?)
            }
            b'G' => Value::Float(f64::from_bits(self.unsigned(8)?.swap_bytes())),
            _ => Value::Opaque,
        };
        self.push(value)
    }

    /// Text and bytes, counted in one, four or eight bytes. Python 2 wrote its text as bytes.
    fn string(&mut self, code: u8) -> Result<(), LoadError> {
        let width = match code {
            b'U' | 0x8c | b'C' => 1,
            b'T' | b'X' | b'B' => 4,
            _ => 8,
        };
        let length = self.unsigned(width)?;
        let bytes = self.take(length)?;
        self.push(Value::Text(String::from_utf8_lossy(&bytes).into()))
    }

    fn collection(&mut self, code: u8) -> Result<(), LoadError> {
        let value = match code {
            b')' => Value::Tuple(Vec::new()),
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let from = self.stack.len().checked_sub(count).filter(|&n| n >= self.floor());
                let from = from.ok_or_else(|| self.underflow())?;
                Value::Tuple(self.stack.split_off(from))
            }
            b't' => Value::Tuple(self.pop_mark()?),
            b']' | 0x8f => Value::List(Vec::new()),
            b'l' | 0x91 => Value::List(self.pop_mark()?),
            b'd' => Value::Dict(pairs(&self.pop_mark()?)),
            _ => Value::Dict(Vec::new()),
        };
        self.push(value)
    }

    /// Adds to the list, set or dictionary below.
    fn fill(&mut self, code: u8) -> Result<(), LoadError> {
        let items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let target = self.peek()?;
        match (&mut self.values[target.0 as usize], code) {
            (Value::List(list), b'a' | b'e' | 0x90) => list.extend(items),
            (Value::Dict(dict), b's' | b'u') => dict.extend(pairs(&items)),
            (Value::Opaque, _) => {}
            _ => return Err(self.wrong("its pickle adds to something that holds nothing")),
        }
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<(), LoadError> {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let text = |id: Id| match &self.values[id.0 as usize] {
                Value::Text(text) => Ok(text.to_string()),
                _ => Err(self.wrong("its pickle names an object by something that is no text")),
            };
            (text(module)?, text(name)?)
        };
        let Some(global) = globals::lookup(&module, &name) else {
            return Err(self.label.forbidden(printable(&format!("{module}.{name}"))));
        };
        self.push(Value::Global(global))
    }

    /// `REDUCE` and `NEWOBJ`: an object below, its arguments above.
    fn call(&mut self) -> Result<(), LoadError> {
        let (arguments, object) = (self.pop()?, self.pop()?);
        let Value::Global(global) = self.values[object.0 as usize] else {
            return Err(self.wrong("its pickle calls something that cannot be called"));
        };
        let Value::Tuple(arguments) = &self.values[arguments.0 as usize] else {
            return Err(self.wrong("its pickle calls without arguments"));
        };
        let arguments: Vec<Id> = arguments.iter().copied().take(MOST_ARGUMENTS).collect();
        let value = match global {
            Global::OrderedDict => self.ordered(&arguments)?,
            Global::RebuildTensor | Global::RebuildTensorV2 => self.tensor(&arguments, None)?,
            Global::RebuildTensorV3 => self.tensor(&arguments, arguments.get(6).copied())?,
            Global::Size | Global::RebuildParameter => {
                let first = arguments.first().copied().ok_or_else(|| self.underflow())?;
                self.stack.push(first);
                return Ok(());
            }
            Global::Storage { .. } | Global::ElementType(_) | Global::Device => Value::Opaque,
        };
        self.push(value)
    }

    /// `OrderedDict()`, or `OrderedDict([[key, value], …])` as Python 2 wrote it.
    fn ordered(&mut self, arguments: &[Id]) -> Result<Value, LoadError> {
        let list = match arguments.first().map(|id| &self.values[id.0 as usize]) {
            Some(Value::List(list)) => list.as_slice(),
            _ => &[],
        };
        // The only copy of a list: it counts as values, or a list used often would grow without bound.
        self.copied += list.len();
        if self.copied > MOST_VALUES {
            return Err(self.too_many());
        }
        let item = |id: &Id| match &self.values[id.0 as usize] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
            _ => None,
        };
        Ok(Value::Dict(list.iter().filter_map(item).collect()))
    }

    fn tensor(&self, arguments: &[Id], dtype: Option<Id>) -> Result<Value, LoadError> {
        let wrong = || self.wrong("its pickle describes a tensor wrongly");
        let [storage, offset, size, stride, ..] = *arguments else { return Err(wrong()) };
        let Value::Storage(storage) = &self.values[storage.0 as usize] else { return Err(wrong()) };
        let storage = storage.as_ref().clone();
        let dtype = match dtype.map(|id| &self.values[id.0 as usize]) {
            None => storage.dtype,
            Some(&Value::Global(Global::ElementType(dtype))) => dtype,
            Some(_) => return Err(wrong()),
        };
        let offset = self.count(offset).ok_or_else(wrong)?;
        let size = self.counts(size).ok_or_else(wrong)?;
        let stride = self.counts(stride).filter(|s| s.len() == size.len()).ok_or_else(wrong)?;
        Ok(Value::Tensor(Box::new(Tensor { storage, dtype, offset, size, stride })))
    }

    /// `('storage', type, key, device, count[, view])` becomes a storage.
    fn persistent(&mut self) -> Result<(), LoadError> {
        let id = self.pop()?;
        let wrong = |machine: &Self| machine.wrong("its pickle refers to something other than a storage");
        let Value::Tuple(parts) = &self.values[id.0 as usize] else { return Err(wrong(self)) };
        let [tag, kind, key, _device, count, ref rest @ ..] = **parts else { return Err(wrong(self)) };
        let tagged = matches!(&self.values[tag.0 as usize], Value::Text(tag) if &**tag == "storage");
        let key = match &self.values[key.0 as usize] {
            Value::Text(text) if text.len() <= LONGEST_KEY => Some(text.to_string()),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        };
        let Value::Global(Global::Storage { dtype, width }) = self.values[kind.0 as usize] else {
            return Err(wrong(self));
        };
        let (true, Some(key), Some(count)) = (tagged, key, self.count(count)) else { return Err(wrong(self)) };
        let view = rest.first().map(|id| &self.values[id.0 as usize]);
        let (begin, count) = match view {
            Some(Value::Tuple(view)) => match **view {
                [_, begin, count] => self.count(begin).zip(self.count(count)).ok_or_else(|| wrong(self))?,
                _ => return Err(wrong(self)),
            },
            _ => (0, count),
        };
        self.push(Value::Storage(Box::new(Storage { key, dtype, width, count, begin })))
    }

    fn count(&self, id: Id) -> Option<u64> {
        match self.values[id.0 as usize] {
            Value::Int(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    fn counts(&self, id: Id) -> Option<Vec<u64>> {
        match &self.values[id.0 as usize] {
            Value::Tuple(parts) | Value::List(parts) if parts.len() <= 16 => {
                parts.iter().map(|&part| self.count(part)).collect()
            }
            _ => None,
        }
    }

    fn push(&mut self, value: Value) -> Result<(), LoadError> {
        if self.values.len() >= MOST_VALUES {
            return Err(self.too_many());
        }
        self.stack.push(Id(self.values.len() as u32));
        self.values.push(value);
        Ok(())
    }

    /// The height that the stack must keep: what lies under a mark is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn peek(&self) -> Result<Id, LoadError> {
        self.stack.last().copied().filter(|_| self.stack.len() > self.floor()).ok_or_else(|| self.underflow())
    }

    fn pop(&mut self) -> Result<Id, LoadError> {
        let top = self.peek()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, LoadError> {
        let mark = self.marks.pop().ok_or_else(|| self.underflow())?;
        Ok(self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Result<u8, LoadError> {
        Ok(self.unsigned(1)? as u8)
    }

    /// A little-endian number of up to eight bytes.
    fn unsigned(&mut self, width: usize) -> Result<u64, LoadError> {
        let mut bytes = [0; 8];
        self.spend(width as u64)?;
        self.reader.read_exact(&mut bytes[..width]).map_err(|e| self.label.io(e))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>, LoadError> {
        self.spend(length)?;
        crate::formats::source::read_bounded(self.reader, length).map_err(|e| self.label.io(e))
    }

    /// Text up to a line break.
    fn line(&mut self) -> Result<String, LoadError> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                _ if line.len() >= 1000 => return Err(self.wrong("its pickle has a name of more than 1000 letters")),
                byte => line.push(byte),
            }
        }
    }

    fn spend(&mut self, bytes: u64) -> Result<(), LoadError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| self.wrong("its pickle is longer than any network needs"))?;
        Ok(())
    }

    fn too_many(&self) -> LoadError {
        self.wrong("its pickle makes more values than any network needs")
    }

    fn underflow(&self) -> LoadError {
        self.wrong("its pickle takes more than it has")
    }

    fn wrong(&self, detail: impl Into<String>) -> LoadError {
        self.label.malformed(detail)
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.as_chunks().0.iter().map(|&[key, value]| (key, value)).collect()
}

/// A little-endian two's complement number; longer than 16 bytes it has no meaning here.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 16 {
        return Value::Opaque;
    }
    let fill = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [fill; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i128::from_le_bytes(wide))
}

/// A name from a file, fit for an error message.
fn printable(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_control() { '?' } else { c }).collect()
}
