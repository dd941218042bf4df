"""Neighbours to labels with scikit-learn's SpectralClustering."""

import numpy
import sklearn
from common import THREADS, WORK, load, measure, report
from sklearn.cluster import SpectralClustering

task = load("clustering.json")
vectors = numpy.fromfile(f"{WORK}/clustering.f32", dtype=numpy.float32).reshape(task["rows"], task["dimensions"])
model = SpectralClustering(
    n_clusters=task["clusters"],
    affinity="nearest_neighbors",
    n_neighbors=task["neighbours"],
    eigen_solver="arpack",
    n_jobs=THREADS,
    random_state=0,
)
figures, fitted = measure(lambda: model.fit(vectors))
fitted.labels_.astype(numpy.uint32).tofile(f"{WORK}/clustering.peer.u32")
report(figures, versions={"scikit-learn": sklearn.__version__, "numpy": numpy.__version__})
