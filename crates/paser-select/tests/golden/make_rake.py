"""Writes rake.json, the golden values of tests/rake.rs, with the reference implementation.

    pip install rake-nltk==1.0.6 nltk==3.10.4 && python make_rake.py STOPLIST

STOPLIST is NLTK's English stop list, one word a line (the crate `stop-words` carries it as src/nltk/english).
The sentence splitter is NLTK's Punkt without a trained model, so that nothing has to be downloaded.
"""

import json
import pathlib
import sys

from nltk.tokenize import wordpunct_tokenize
from nltk.tokenize.punkt import PunktSentenceTokenizer
from rake_nltk import Rake

TEXTS = [
    "Red apples, are good in flavour.",
    "Keywords, which we define as a sequence of one or more words, provide a compact representation of a document's content",
    # The abstract of the RAKE paper, line breaks and indentation as in rake-nltk's own tests.
    """Compatibility of systems of linear constraints
        over the set of natural numbers. Criteria of compatibility of a system
        of linear Diophantine equations, strict inequations, and nonstrict
        inequations are considered. Upper bounds for components of a minimal
        set of solutions and algorithms of construction of minimal generating
        sets of solutions for all types of systems are given. These criteria
        and the corresponding algorithms for constructing a minimal supporting
        set of solutions can be used in solving all the considered types of
        systems and systems of mixed types.""",
    "Magic systems is a company. Magic systems was founded by Raul.",
    'She shouted "stop now." Nobody moved! Was it over?! Perhaps (they thought.) Silence followed.',
    "It's true that they've said we shouldn't; I'd rather you'll wait, don't you think?",
    "def add_two(x):\n    return x + 2\n\nprint(add_two(40))  # -> 42 == answer\n",
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May, i.e. 48+24 = <<48+24=72>>72 clips altogether... #### 72",
    "Caf\u00e9 na\u00efve \u00dcBUNG \u4f60\u597d\uff0c\u4e16\u754c\u3002 \u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440! 3\u00bd cups \u2014 \u201csmart quotes\u201d",
    "one two two three, three two one two. one",
    "...",
    "",
    "The the of and",
]

stopwords = set(pathlib.Path(sys.argv[1]).read_text().split())
punkt = PunktSentenceTokenizer()
golden = []
for text in TEXTS:
    rake = Rake(stopwords=stopwords, sentence_tokenizer=punkt.tokenize, word_tokenizer=wordpunct_tokenize)
    rake.extract_keywords_from_text(text)
    golden.append({"text": text, "ranked": rake.get_ranked_phrases_with_scores()})
out = pathlib.Path(__file__).with_name("rake.json")
out.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
