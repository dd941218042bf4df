"""Reference figures of the quality gate on the first rows of the shared pool in content-hash order: items 3 to 7 of
section 1 of the method in numpy, scipy and scikit-learn, from the same sentence vectors.

    cargo xtask bench --task clustering     # leaves the vectors in benches/scratch/vectors.f32
    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    python gate.py SHARED/data/recovery_mix.jsonl benches/scratch/vectors.f32 4000

Prints, for each number of clusters: NMI and ARI against the capability, ARI against the source before merging, clusters
after merging and their ARI against the capability; then the start labels' and those of k-means on the vectors.
"""

import hashlib
import json
import sys

import numpy
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

NEIGHBOURS, BANDWIDTH, DIMENSIONS, MOST = 15, 7, 16, 40


def read(pool, vectors, count):
    lines = [line for line in open(pool, encoding="utf-8", newline="\n") if line.strip()]
    samples = [json.loads(line) for line in lines]
    fields = ("instruction", "input", "output")
    digest = lambda sample: hashlib.sha256(b"".join((sample.get(f) or "").encode() + b"\x1f" for f in fields)).digest()
    order = sorted(range(len(samples)), key=lambda row: (digest(samples[row]), samples[row]["id"]))[:count]
    points = numpy.fromfile(vectors, dtype="<f4").reshape(len(samples), -1)[order].astype(numpy.float64)
    names = lambda key: [samples[row][key] for row in order]
    return points, names("capability"), names("source")


def graph(points):
    """W: self-tuned affinity of the 15 nearest by cosine, symmetrised by maximum."""
    rows = len(points)
    cosines = points @ points.T
    numpy.fill_diagonal(cosines, -numpy.inf)
    nearest = numpy.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    distances = numpy.sqrt(numpy.maximum(0.0, 2.0 - 2.0 * numpy.take_along_axis(cosines, nearest, axis=1)))
    scale = distances[:, BANDWIDTH - 1]
    scale = numpy.maximum(scale, 0.05 * numpy.median(scale))
    left = numpy.repeat(numpy.arange(rows), NEIGHBOURS)
    weights = numpy.exp(-(distances.ravel() ** 2) / (scale[left] * scale[nearest.ravel()]))
    affinity = scipy.sparse.csr_matrix((weights, (left, nearest.ravel())), shape=(rows, rows))
    affinity = affinity.maximum(affinity.T).tocsr()
    components, _ = scipy.sparse.csgraph.connected_components(affinity)
    assert components == 1, components
    return affinity


def normalised(matrix):
    degrees = numpy.asarray(matrix.sum(axis=1)).ravel()
    scale = scipy.sparse.diags(1.0 / numpy.sqrt(degrees))
    return scale @ matrix @ scale, degrees


def manifold(affinity):
    operator, degrees = normalised(affinity)
    values, vectors = scipy.sparse.linalg.eigsh(operator, k=MOST + 5, which="LA", tol=1e-10)
    order = numpy.argsort(-values)
    values, vectors = values[order], vectors[:, order]
    z = values[1 : DIMENSIONS + 1] * numpy.sqrt(degrees.sum()) * vectors[:, 1 : DIMENSIONS + 1]
    z /= numpy.sqrt(degrees)[:, None]
    coo = affinity.tocoo()
    squares = ((z[coo.row] - z[coo.col]) ** 2).sum(axis=1)
    scale = numpy.zeros(len(z))
    pointers = affinity.indptr
    by_row = scipy.sparse.csr_matrix((squares, (coo.row, coo.col)), shape=affinity.shape)
    for row in range(len(z)):
        around = numpy.sort(by_row.data[pointers[row] : pointers[row + 1]])
        scale[row] = numpy.sqrt(around[min(BANDWIDTH, len(around)) - 1])
    scale = numpy.maximum(scale, 0.05 * numpy.median(scale))
    raw = numpy.maximum(1e-9, numpy.exp(-squares / (scale[coo.row] * scale[coo.col])))
    raw = scipy.sparse.csr_matrix((raw, (coo.row, coo.col)), shape=affinity.shape)
    return vectors, z, raw


def factorise(operator, start, count):
    g = numpy.full((len(start), count), 0.2)
    g[numpy.arange(len(start)), start] += 1.0
    h = g * numpy.sqrt((g * (operator @ g)).sum() / (numpy.linalg.norm(g.T @ g) ** 2))
    norm = scipy.sparse.linalg.norm(operator) ** 2
    error = lambda h: (norm - 2.0 * (h * (operator @ h)).sum() + numpy.linalg.norm(h.T @ h) ** 2) / norm
    last, labels = error(h), start
    for step in range(1, 201):
        h = h * (0.5 + 0.5 * (operator @ h) / numpy.maximum(h @ (h.T @ h), 1e-30))
        if step % 10 == 0:
            now, found = error(h), h.argmax(axis=1)
            settled = last - now < 1e-4 * last and (found != labels).mean() < 0.001
            last, labels = now, found
            if settled:
                break
    return h.argmax(axis=1)


def merge(labels, count, raw, z):
    """Clusters that are too small, smallest first, join the one with the largest S(a, b) / vol(b)."""
    labels = labels.copy()
    rows = len(labels)
    least = max(30, 0.002 * rows, rows / (5 * count))
    degrees = numpy.asarray(raw.sum(axis=1)).ravel()
    coo = raw.tocoo()
    while True:
        names, sizes = numpy.unique(labels, return_counts=True)
        small = [(size, name) for name, size in zip(names, sizes) if size < least]
        if not small or len(names) == 1:
            return labels
        name = min(small)[1]
        best = None
        for other in names:
            if other != name:
                between = coo.data[(labels[coo.row] == name) & (labels[coo.col] == other)].sum()
                share = between / degrees[labels == other].sum()
                if best is None or share > best[0]:
                    best = (share, other)
        assert best[0] > 0.0
        labels[labels == name] = best[1]


def main():
    points, capability, source = read(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    affinity = graph(points)
    vectors, z, raw = manifold(affinity)
    operator, _ = normalised(raw)
    for count in (5, 8, 12):
        first = vectors[:, :count]
        first = first / numpy.linalg.norm(first, axis=1, keepdims=True)
        start = KMeans(count, n_init=50, random_state=0).fit(first).labels_
        labels = factorise(operator, start, count)
        merged = merge(labels, count, raw, z)
        plain = KMeans(count, n_init=10, random_state=0).fit(points).labels_
        print(
            f"K {count}: {normalized_mutual_info_score(capability, labels):.3f}"
            f" {adjusted_rand_score(capability, labels):.3f} {adjusted_rand_score(source, labels):.3f};"
            f" merged {len(numpy.unique(merged))}, {adjusted_rand_score(capability, merged):.3f};"
            f" start {adjusted_rand_score(capability, start):.3f},"
            f" vectors {adjusted_rand_score(capability, plain):.3f}"
        )


main()
