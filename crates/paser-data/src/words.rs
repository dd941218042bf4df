//! Texts as words, for questions of overlap: what is a near-duplicate, what contains a benchmark's question. Owns the one
//! rule of what a word is, and the hashes of words and of runs of words.

/// Multiplier of the running hash; any odd number with well-mixed bits.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scripts that put no blanks between words: there each character is a word.
fn stands_alone(character: char) -> bool {
    matches!(u32::from(character),
        0x0e00..=0x0eff // Thai, Lao
        | 0x1000..=0x109f // Myanmar
        | 0x1780..=0x17ff // Khmer
        | 0x3040..=0x30ff // kana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff) // Han
}

/// Calls `take` with every word: runs of letters and digits in lower case. An apostrophe inside joins ("don't" is
/// `dont`), all other punctuation parts.
fn each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            take(word);
            word.clear();
        }
    };
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
        } else if character.is_alphanumeric() {
            if stands_alone(character) {
                end(&mut word);
                word.push(character);
                end(&mut word);
            } else {
                word.extend(character.to_lowercase());
            }
        } else if !matches!(character, '\'' | '’') {
            end(&mut word);
        }
    }
    end(&mut word);
}

/// The words of a text, to be shown.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word.to_owned()));
    words
}

/// Spreads every bit of the input over the output (`SplitMix64`'s last step).
pub(crate) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Words as hashes, with the hash of any run of them in constant time.
#[derive(Default)]
pub(crate) struct HashedWords {
    /// `prefix[i]`: the first `i` words, as a polynomial in [`BASE`] modulo 2^64.
    prefix: Vec<u64>,
    /// `power[i]`: BASE^i.
    power: Vec<u64>,
}

impl HashedWords {
    /// The words of these texts, one after the other.
    pub(crate) fn of(texts: &[&str]) -> Self {
        let mut hashed = Self { prefix: vec![0], power: vec![1] };
        for text in texts {
            each_word(text, |word| {
                // FNV-1a, then mixed: two words of one hash are a matter of 2^-64.
                let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
                });
                let (last, power) = (hashed.prefix[hashed.prefix.len() - 1], hashed.power[hashed.power.len() - 1]);
                hashed.prefix.push(last.wrapping_mul(BASE).wrapping_add(mix(hash)));
                hashed.power.push(power.wrapping_mul(BASE));
            });
        }
        hashed
    }

    /// Words.
    pub(crate) fn len(&self) -> usize {
        self.prefix.len() - 1
    }

    /// Hash of each run of `length` words, by the place of its first word. Runs of different lengths differ.
    pub(crate) fn runs(&self, length: usize) -> impl Iterator<Item = u64> + '_ {
        (length..=self.len()).map(move |end| {
            let run = self.prefix[end].wrapping_sub(self.prefix[end - length].wrapping_mul(self.power[length]));
            mix(run ^ (length as u64).wrapping_mul(BASE))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(words("Don't “stop” -- x_1, ÉTÉ!\n3.14"), ["dont", "stop", "x", "1", "été", "3", "14"]);
        assert_eq!(words("东京 is 首都。"), ["东", "京", "is", "首", "都"]);
        assert!(words(" -- … ").is_empty());
    }

    #[test]
    fn runs_are_equal_where_their_words_are() {
        let (a, b) = (HashedWords::of(&["One two", "three. four"]), HashedWords::of(&["zero ONE, two three four"]));
        let runs = |words: &HashedWords, length: usize| words.runs(length).collect::<Vec<_>>();
        assert_eq!((a.len(), b.len()), (4, 5));
        assert_eq!(runs(&a, 3), runs(&b, 3)[1..]);
        assert_eq!(runs(&a, 4), runs(&b, 4)[1..]);
        assert_ne!(runs(&a, 3)[0], runs(&a, 3)[1]);
        assert!(runs(&a, 5).is_empty() && runs(&HashedWords::of(&[]), 1).is_empty());
        let all: std::collections::BTreeSet<u64> = (1..5).flat_map(|length| runs(&a, length)).collect();
        assert_eq!(all.len(), 4 + 3 + 2 + 1);
    }
}
