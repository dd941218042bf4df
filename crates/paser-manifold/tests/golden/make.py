"""Reference values for the tests of paser-manifold, computed by numpy, scipy and scikit-learn.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 && python make.py

Writes manifold.json, agreement.json, factorisation.json and tfidf.json beside this file. The points and the texts are
not stored: the tests make the same ones from the same generator with the same IEEE operations.
"""

import json
import math
import pathlib

import numpy
import scipy
import scipy.linalg
import scipy.sparse.linalg
import sklearn
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import NearestNeighbors

HERE = pathlib.Path(__file__).parent
VERSIONS = {"numpy": numpy.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}
MASK = (1 << 64) - 1


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def uniform(self):
        return (self.next() >> 11) / float(1 << 53)

    def bell(self):
        return self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0


def mixture(rows, dimensions, groups, noise, seed):
    """Unit f32 rows around random centres; row i belongs to group i % groups."""
    random = Random(seed)
    centres = [[random.bell() for _ in range(dimensions)] for _ in range(groups)]
    points = []
    for row in range(rows):
        values = [c + noise * random.bell() for c in centres[row % groups]]
        total = 0.0
        for value in values:
            total += value * value
        length = math.sqrt(total)
        points.append([value / length for value in values])
    return numpy.array(points, dtype=numpy.float64).astype(numpy.float32)


def texts(count, seed):
    """Texts of words, digits and marks; the first word of a topic is common in it."""
    random = Random(seed)
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon".split()
    out = []
    for row in range(count):
        topic = row % 5
        parts = []
        for _ in range(6 + random.next() % 9):
            draw = random.next() % 10
            if draw < 6:
                parts.append(words[topic * 4 + random.next() % 4])
            elif draw < 8:
                parts.append(words[random.next() % 20].upper())
            elif draw < 9:
                parts.append(str(random.next() % 100))
            else:
                parts.append("+-=?"[random.next() % 4] + "x")
        out.append(" ".join(parts))
    return out


def manifold():
    points = mixture(600, 24, 6, 1.0, 1)
    wide = points.astype(numpy.float64)
    distances, rows = NearestNeighbors(n_neighbors=16, metric="cosine", algorithm="brute").fit(wide).kneighbors(wide)
    rows = rows[:, 1:]
    chord = numpy.sqrt(((wide[:, None, :] - wide[rows]) ** 2).sum(-1))
    bandwidth = chord[:, 6]
    bandwidth = numpy.maximum(bandwidth, 0.05 * numpy.median(bandwidth))
    weights = numpy.zeros((600, 600))
    for i in range(600):
        for j, d in zip(rows[i], chord[i]):
            weights[i, j] = weights[j, i] = math.exp(-d * d / (bandwidth[i] * bandwidth[j]))
    out = {}
    for alpha in (0.0, 0.5, 1.0):
        densities = weights.sum(1) ** -alpha
        w = weights * densities[:, None] * densities[None, :]
        degrees = w.sum(1)
        operator = w / numpy.sqrt(degrees[:, None] * degrees[None, :])
        values, vectors = scipy.sparse.linalg.eigsh(scipy.sparse.csr_matrix(operator), k=15, which="LA", tol=1e-14)
        order = numpy.argsort(-values)
        values, vectors = values[order], vectors[:, order]
        signs = numpy.sign(vectors[numpy.abs(vectors).argmax(0), range(15)])
        vectors = vectors * signs
        z = values[1:] * math.sqrt(degrees.sum()) * vectors[:, 1:] / numpy.sqrt(degrees)[:, None]
        out[str(alpha)] = {"eigenvalues": values.tolist(), "coordinates_of_row_17": z[17].tolist()}
    count, labels = scipy.sparse.csgraph.connected_components(scipy.sparse.csr_matrix(weights))
    return {
        "versions": VERSIONS,
        "neighbours_of_first_40": rows[:40].tolist(),
        "distances_of_row_17": chord[17].tolist(),
        "components": int(count),
        "alpha": out,
    }


def agreement():
    random = Random(2)
    cases = []
    for left, right, noise in ((3, 3, 10), (5, 2, 3), (4, 7, 2), (2, 2, 1)):
        a = [random.next() % left for _ in range(60)]
        b = [label % right if random.next() % noise else random.next() % right for label in a]
        cases.append(
            {
                "a": a,
                "b": b,
                "adjusted_rand_index": float(adjusted_rand_score(a, b)),
                "normalized_mutual_information": float(normalized_mutual_info_score(a, b)),
            }
        )
    return {"versions": VERSIONS, "cases": cases}


def factorisation():
    """Ten damped multiplicative steps on a small graph, as method.md section 1 item 7 writes them."""
    random = Random(3)
    n, count = 40, 3
    a = numpy.zeros((n, n))
    for i in range(n):
        for _ in range(5):
            j = (i // 14 * 14 + random.next() % 14) % n if random.next() % 8 else random.next() % n
            if i != j:
                a[i, j] = a[j, i] = 0.1 + random.uniform()
    degrees = a.sum(1)
    a = a / numpy.sqrt(degrees[:, None] * degrees[None, :])
    start = [(i // 14 + (1 if i % 9 == 0 else 0)) % count for i in range(n)]
    g = numpy.full((n, count), 0.2)
    g[range(n), start] += 1.0
    h = g * math.sqrt(math.sqrt(float((g * (a @ g)).sum() / ((g.T @ g) ** 2).sum()) ** 2))
    errors = []
    for _ in range(200):
        errors.append(float(((a - h @ h.T) ** 2).sum() / (a**2).sum()))
        h = h * (0.5 + 0.5 * (a @ h) / numpy.maximum(h @ (h.T @ h), 1e-30))
    edges = [[i, j, float(a[i, j])] for i in range(n) for j in range(i) if a[i, j] > 0]
    return {"versions": VERSIONS, "rows": n, "clusters": count, "edges": edges, "start": start, "errors": errors}


def tfidf():
    out = {"versions": VERSIONS, "cases": []}
    for count, dimensions in ((60, 10), (700, 8)):
        made = texts(count, 4)
        counter = TfidfVectorizer(
            token_pattern=r"[^\W\d_]+|\d|[^\w\s]|_", ngram_range=(1, 2), min_df=2, sublinear_tf=True
        )
        matrix = counter.fit_transform(made)
        svd = TruncatedSVD(dimensions, algorithm="arpack", tol=1e-14)
        rows = svd.fit_transform(matrix)
        rows = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
        out["cases"].append(
            {
                "texts": count,
                "first_text": made[0],
                "terms": matrix.shape[1],
                "singular_values": svd.singular_values_.tolist(),
                "cosines_of_row_0": (rows[:20] @ rows[0]).tolist(),
            }
        )
    return out


for name, value in (
    ("manifold", manifold()),
    ("agreement", agreement()),
    ("factorisation", factorisation()),
    ("tfidf", tfidf()),
):
    (HERE / f"{name}.json").write_text(json.dumps(value, separators=(",", ":")) + "\n")
