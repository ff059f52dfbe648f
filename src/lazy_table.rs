//! Lists and maps that decode their items on first use. Most of a long ledger is never needed. New
//! items are stored beside the bytes; the bytes never change, and copies share them. A digest of
//! all bytes detects damage before anything is read, so later decoding succeeds.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_128;

/// An item, once it is decoded.
type Cell<T> = OnceLock<Option<Box<T>>>;

/// Cells that are allocated together when one of them is needed.
type Page<T> = OnceLock<Box<[Cell<T>]>>;

/// The number of cells in a page.
const PAGE: usize = 64;

/// Encoded items and those decoded so far.
#[derive(Debug)]
struct EncodedItems<T> {
    /// The items, one after the other.
    items: Bytes,
    /// The end of each item, in four bytes.
    ends: Bytes,
    decoded: OnceLock<Box<[Page<T>]>>,
}

/// Writes the bytes of a list: its items, their ends, and their number.
#[derive(Default)]
struct ItemWriter {
    items: Vec<u8>,
    ends: Vec<u8>,
}

/// The size of a length, in bytes.
const LENGTH: usize = size_of::<u32>();

impl ItemWriter {
    fn add(&mut self, item: &[u8]) {
        self.items.extend_from_slice(item);
        // Ends that need more than four bytes do not ascend, so the reader refuses them.
        self.ends.extend((self.items.len() as u32).to_le_bytes());
    }

    fn add_new(&mut self, item: &impl Serialize) {
        self.add(&encode(item));
    }

    fn finish(self) -> Vec<u8> {
        let count = (self.ends.len() / LENGTH) as u32;
        [self.items, self.ends, count.to_le_bytes().to_vec()].concat()
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

fn number(bytes: &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

impl<T> Default for EncodedItems<T> {
    fn default() -> Self {
        Self {
            items: Bytes::new(),
            ends: Bytes::new(),
            decoded: OnceLock::new(),
        }
    }
}

impl<T> EncodedItems<T> {
    /// Parses a list. Returns `None` if the bytes are malformed.
    fn read(mut items: Bytes) -> Option<Self> {
        let count = number(&items.split_off(items.len().checked_sub(LENGTH)?))?;
        let ends = items.split_off(items.len().checked_sub(count.checked_mul(LENGTH)?)?);
        let in_order = ends
            .chunks_exact(LENGTH)
            .try_fold(0, |before, end| number(end).filter(|end| *end >= before));
        (in_order? == items.len()).then(|| Self {
            items,
            ends,
            decoded: OnceLock::new(),
        })
    }

    fn len(&self) -> usize {
        self.ends.len() / LENGTH
    }

    fn end(&self, place: usize) -> Option<usize> {
        number(self.ends.get(place * LENGTH..)?.get(..LENGTH)?)
    }

    fn raw(&self, place: usize) -> Option<&[u8]> {
        let start = place
            .checked_sub(1)
            .map_or(Some(0), |before| self.end(before))?;
        self.items.get(start..self.end(place)?)
    }

    fn cell(&self, place: usize) -> Option<&Cell<T>> {
        fn empty<T>(count: usize) -> Box<[OnceLock<T>]> {
            (0..count).map(|_| OnceLock::new()).collect()
        }
        let pages = self
            .decoded
            .get_or_init(|| empty(self.len().div_ceil(PAGE)));
        pages
            .get(place / PAGE)?
            .get_or_init(|| empty(PAGE))
            .get(place % PAGE)
    }
}

impl<T: DeserializeOwned> EncodedItems<T> {
    fn get(&self, place: usize) -> Option<&T> {
        let decode = || postcard::from_bytes(self.raw(place)?).ok().map(Box::new);
        self.cell(place)?.get_or_init(decode).as_deref()
    }
}

/// A list that grows at its end.
#[derive(Debug, Clone)]
pub struct LazyList<T> {
    encoded: Arc<EncodedItems<T>>,
    /// Items added since the list was read. Copies share them too.
    changed: Vec<Arc<T>>,
}

impl<T> Default for LazyList<T> {
    fn default() -> Self {
        Self {
            encoded: Arc::default(),
            changed: Vec::new(),
        }
    }
}

impl<T: Serialize + DeserializeOwned + Clone> LazyList<T> {
    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.encoded.len() + self.changed.len()
    }

    /// Returns whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over all items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        match place.checked_sub(self.encoded.len()) {
            None => self.encoded.get(place),
            Some(changed) => self.changed.get(changed).map(|item| &**item),
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.changed.push(Arc::new(item));
    }

    /// Returns the last item. Returns `None` if no item was added since the list was read.
    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.changed.last_mut().map(Arc::make_mut)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ItemWriter::default();
        (0..self.encoded.len())
            .filter_map(|place| self.encoded.raw(place))
            .for_each(|item| writer.add(item));
        self.changed.iter().for_each(|item| writer.add_new(&**item));
        writer.finish()
    }
}

impl<'a, T: Serialize + DeserializeOwned + Clone> IntoIterator for &'a LazyList<T> {
    type Item = &'a T;
    type IntoIter = Box<dyn Iterator<Item = &'a T> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<T: Serialize + DeserializeOwned + Clone + PartialEq> PartialEq for LazyList<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// A map that is ordered by key.
#[derive(Debug, Clone)]
pub(crate) struct LazyMap<K, V> {
    encoded: Arc<EncodedItems<(K, V)>>,
    /// New values, and values that replace encoded ones.
    changed: BTreeMap<K, V>,
    len: usize,
}

impl<K, V> Default for LazyMap<K, V> {
    fn default() -> Self {
        Self {
            encoded: Arc::default(),
            changed: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<K, V> LazyMap<K, V>
where
    K: Serialize + DeserializeOwned + Ord,
    V: Serialize + DeserializeOwned + Clone,
{
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.changed.get(key).or_else(|| self.get_encoded(key))
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.len += usize::from(!self.contains_key(&key));
        self.changed.insert(key, value);
    }

    /// Returns the value of a key. Inserts a default value if the key is absent.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        if !self.changed.contains_key(&key) {
            let value = self.get_encoded(&key).cloned().unwrap_or_default();
            self.insert(key.clone(), value);
        }
        self.changed.entry(key).or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let encoded = (0..self.encoded.len())
            .filter_map(|place| self.encoded.get(place))
            .map(|(key, value)| (key, value));
        merged(encoded, self.changed.iter())
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the first key after this one.
    pub(crate) fn key_after(&self, key: &K) -> Option<&K> {
        let place = self
            .place(key)
            .map_or_else(|place| place, |place| place + 1);
        let encoded = self.encoded.get(place).map(|(key, _)| key);
        let beyond = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        encoded
            .into_iter()
            .chain(self.changed.range(beyond).next().map(|(key, _)| key))
            .min()
    }

    fn get_encoded(&self, key: &K) -> Option<&V> {
        self.encoded
            .get(self.place(key).ok()?)
            .map(|(_, value)| value)
    }

    /// Returns the place of a key in the bytes, or as the error the place where the key would be.
    fn place(&self, key: &K) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.encoded.len());
        while low < high {
            let middle = low.midpoint(high);
            match self
                .key_at(middle)
                .map_or(Ordering::Greater, |at| at.cmp(key))
            {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Decodes only the key, which comes first.
    fn key_at(&self, place: usize) -> Option<K> {
        postcard::take_from_bytes(self.encoded.raw(place)?)
            .ok()
            .map(|(key, _)| key)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ItemWriter::default();
        let mut changed = self.changed.iter().peekable();
        for place in 0..self.encoded.len() {
            let (Some(item), Some(key)) = (self.encoded.raw(place), self.key_at(place)) else {
                continue;
            };
            while let Some(before) = changed.next_if(|(changed, _)| **changed < key) {
                writer.add_new(&before);
            }
            if changed.peek().is_none_or(|(changed, _)| **changed != key) {
                writer.add(item);
            }
        }
        changed.for_each(|item| writer.add_new(&item));
        writer.finish()
    }
}

/// Merges two ordered sequences. If both have a key, the changed value wins.
fn merged<'a, K: Ord + 'a, V: 'a>(
    encoded: impl Iterator<Item = (&'a K, &'a V)>,
    changed: impl Iterator<Item = (&'a K, &'a V)>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    let (mut encoded, mut changed) = (encoded.peekable(), changed.peekable());
    std::iter::from_fn(move || {
        let (Some((left, _)), Some((right, _))) = (encoded.peek(), changed.peek()) else {
            return encoded.next().or_else(|| changed.next());
        };
        match left.cmp(right) {
            Ordering::Less => encoded.next(),
            Ordering::Equal => encoded.next().and(changed.next()),
            Ordering::Greater => changed.next(),
        }
    })
}

/// Writes tables and values in sequence, after a digest of all of them.
pub(crate) struct TableWriter(Vec<u8>);

/// A checksum that detects damage by a disk or a crash. It does not detect deliberate changes.
type Checksum = u128;

fn checksum(parts: &[u8]) -> [u8; size_of::<Checksum>()] {
    xxh3_128(parts).to_le_bytes()
}

impl TableWriter {
    pub(crate) fn new() -> Self {
        Self(vec![0; size_of::<Checksum>()])
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn value(&mut self, value: &impl Serialize) {
        self.part(&encode(value));
    }

    pub(crate) fn list<T: Serialize + DeserializeOwned + Clone>(&mut self, list: &LazyList<T>) {
        self.part(&list.to_bytes());
    }

    pub(crate) fn map<K, V>(&mut self, map: &LazyMap<K, V>)
    where
        K: Serialize + DeserializeOwned + Ord,
        V: Serialize + DeserializeOwned + Clone,
    {
        self.part(&map.to_bytes());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if let Some((digest, parts)) = self.0.split_first_chunk_mut() {
            *digest = checksum(parts);
        }
        self.0
    }
}

/// Reads what a [`TableWriter`] wrote, in the same order. Its methods return `None` if the bytes
/// are malformed.
pub(crate) struct TableReader(Bytes);

impl TableReader {
    /// Opens the bytes after their digest. Returns `None` if the digest does not match.
    pub(crate) fn new(mut bytes: Bytes) -> Option<Self> {
        let (digest, parts) = bytes.split_first_chunk()?;
        let is_whole = *digest == checksum(parts);
        let parts = bytes.split_off(size_of::<Checksum>());
        is_whole.then_some(Self(parts))
    }

    fn part(&mut self) -> Option<Bytes> {
        let (length, _) = self.0.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let _ = self.0.split_to(size_of::<u64>());
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    pub(crate) fn value<T: DeserializeOwned>(&mut self) -> Option<T> {
        postcard::from_bytes(&self.part()?).ok()
    }

    pub(crate) fn list<T>(&mut self) -> Option<LazyList<T>> {
        Some(LazyList {
            encoded: Arc::new(EncodedItems::read(self.part()?)?),
            changed: Vec::new(),
        })
    }

    pub(crate) fn map<K, V>(&mut self) -> Option<LazyMap<K, V>> {
        let encoded = EncodedItems::read(self.part()?)?;
        Some(LazyMap {
            len: encoded.len(),
            encoded: Arc::new(encoded),
            changed: BTreeMap::new(),
        })
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map_again<K, V>(map: &LazyMap<K, V>) -> LazyMap<K, V>
    where
        K: Serialize + DeserializeOwned + Ord,
        V: Serialize + DeserializeOwned + Clone,
    {
        let mut writer = TableWriter::new();
        writer.map(map);
        TableReader::new(writer.finish().into())
            .unwrap()
            .map()
            .unwrap()
    }

    fn list_again(list: &LazyList<String>) -> LazyList<String> {
        let mut writer = TableWriter::new();
        writer.list(list);
        TableReader::new(writer.finish().into())
            .unwrap()
            .list()
            .unwrap()
    }

    #[derive(Debug, Clone)]
    enum Operation {
        Insert(u16, String),
        Append(u16, char),
        Encode,
        Copy,
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            4 => (0..40u16, "[a-z]{0,3}").prop_map(|(key, value)| Operation::Insert(key, value)),
            4 => (0..40u16, prop::char::range('a', 'z')).prop_map(|(key, letter)| Operation::Append(key, letter)),
            1 => Just(Operation::Encode),
            1 => Just(Operation::Copy),
        ];
        prop::collection::vec(operation, 0..60)
    }

    proptest! {
        #[test]
        fn a_map_is_as_if_it_had_never_been_bytes(operations in operations()) {
            let (mut map, mut expected) = (LazyMap::<u16, String>::default(), BTreeMap::<u16, String>::new());
            for operation in operations {
                match operation {
                    Operation::Insert(key, value) => {
                        map.insert(key, value.clone());
                        expected.insert(key, value);
                    }
                    Operation::Append(key, letter) => {
                        map.or_default(key).push(letter);
                        expected.entry(key).or_default().push(letter);
                    }
                    Operation::Encode => map = map_again(&map),
                    Operation::Copy => {
                        let copy = map.clone();
                        map.or_default(99).push('x');
                        map = copy;
                    }
                }
                prop_assert_eq!(map.len(), expected.len());
                for key in 0..41 {
                    prop_assert_eq!(map.get(&key), expected.get(&key));
                    let after = expected.range(key + 1..).next().map(|(key, _)| key);
                    prop_assert_eq!(map.key_after(&key), after);
                }
                prop_assert!(map.iter().eq(expected.iter()));
                prop_assert!(map.values().eq(expected.values()));
            }
            prop_assert_eq!(map.to_bytes(), map_again(&map).to_bytes());
        }

        #[test]
        fn a_list_is_as_if_it_had_never_been_bytes(parts in prop::collection::vec(prop::collection::vec("[a-z]{0,3}", 0..5), 0..5)) {
            let mut list = LazyList::default();
            for item in parts.iter().flat_map(|part| part.iter().map(Some).chain([None])) {
                match item {
                    Some(item) => list.push(item.clone()),
                    None => list = list_again(&list),
                }
            }
            let expected: Vec<_> = parts.concat();
            prop_assert_eq!(list.len(), expected.len());
            for (place, item) in expected.iter().enumerate() {
                prop_assert_eq!(list.get(place), Some(item));
            }
            prop_assert_eq!(list.get(expected.len()), None);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, key: u16) {
            prop_assert!(TableReader::new(bytes.clone().into()).is_none());
            let framed = [&(bytes.len() as u64).to_le_bytes(), bytes.as_slice()].concat();
            for bytes in [bytes, framed] {
                let _ = TableReader(bytes.clone().into()).value::<Vec<String>>();
                if let Some(map) = TableReader(bytes.clone().into()).map::<u16, String>() {
                    let _ = (map.get(&key), map.key_after(&key), map.iter().count(), map.to_bytes());
                }
                if let Some(list) = TableReader(bytes.into()).list::<String>() {
                    let found = (0..list.len()).filter_map(|place| list.get(place)).count();
                    prop_assert!(found <= list.len() && list.to_bytes().len() >= LENGTH);
                }
            }
        }
    }

    #[test]
    fn only_what_is_asked_for_is_decoded_and_only_once() {
        let mut map = LazyMap::<u16, String>::default();
        (0..100).for_each(|key| map.insert(key, key.to_string()));
        let map = map_again(&map);
        let copy = map.clone();
        let first = map.get(&7).unwrap();
        assert!(std::ptr::eq(first, copy.get(&7).unwrap()));
        let decoded = |place| map.encoded.cell(place).unwrap().get().is_some();
        assert_eq!(
            (0..100).filter(|place| decoded(*place)).collect::<Vec<_>>(),
            [7]
        );
    }

    #[test]
    fn a_last_item_is_only_changed_where_it_is_new() {
        let mut list = LazyList::default();
        list.push("a".to_owned());
        let mut copy = list.clone();
        copy.last_mut().unwrap().push('b');
        assert_eq!(
            (list.get(0).unwrap().as_str(), copy.get(0).unwrap().as_str()),
            ("a", "ab")
        );
        assert!(list_again(&list).last_mut().is_none());
    }

    #[test]
    fn what_is_no_table_is_not_read() {
        let two = EncodedItems::<u8>::read(vec![5, 6, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0].into())
            .unwrap();
        assert_eq!(
            (two.len(), two.get(0), two.get(1), two.get(2)),
            (2, Some(&5), Some(&6), None)
        );
        let bad: [&[u8]; 7] = [
            &[],
            &[0, 0, 0],
            &[1, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff],
            // More items than ends, an end that goes back, and an end out of range.
            &[5, 0, 0, 0, 0],
            &[5, 6, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
            &[5, 9, 0, 0, 0, 1, 0, 0, 0],
        ];
        for bytes in bad {
            assert!(
                EncodedItems::<u8>::read(bytes.to_vec().into()).is_none(),
                "{bytes:?}"
            );
        }
        let longer = [[0xff; 8].as_slice(), b"x"].concat();
        assert!(TableReader(longer.into()).list::<u8>().is_none());
    }
}
