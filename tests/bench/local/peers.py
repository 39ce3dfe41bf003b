"""Exact cosine search by other libraries: one JSON line for each that is installed."""

import json
import sys
import time

import numpy as np

path, dimension, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
vectors = np.fromfile(path, dtype=np.float32).reshape(-1, dimension)
unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
one, queries = unit[len(unit) // 2 :][:1], unit[:many]


def best_ms(search, times):
    search()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        search()
        taken.append((time.perf_counter() - start) * 1e3)
    return sorted(taken)[len(taken) // 2]


def report(name, search):
    print(json.dumps({"name": name, "one_ms": best_ms(lambda: search(one), 11), "many_ms": best_ms(lambda: search(queries), 3)}), flush=True)


def numpy_search(query):
    distances = 1.0 - query @ unit.T
    nearest = np.argpartition(distances, 10, axis=1)[:, :10]
    return np.take_along_axis(nearest, np.argsort(np.take_along_axis(distances, nearest, axis=1)), axis=1)


report("numpy, product and partition", numpy_search)
try:
    import faiss

    flat = faiss.IndexFlatIP(dimension)
    flat.add(unit)
    report(f"faiss {faiss.__version__} flat", lambda query: flat.search(query, 10))
except ImportError as error:
    print(error, file=sys.stderr)
try:
    import usearch
    from usearch.index import MetricKind, search

    report(f"usearch {usearch.__version__} exact", lambda query: search(unit, query, 10, MetricKind.Cos, exact=True))
except ImportError as error:
    print(error, file=sys.stderr)
try:
    import sklearn
    from sklearn.neighbors import NearestNeighbors

    brute = NearestNeighbors(n_neighbors=10, algorithm="brute", metric="cosine").fit(vectors)
    report(f"scikit-learn {sklearn.__version__} brute force", lambda query: brute.kneighbors(query))
except ImportError as error:
    print(error, file=sys.stderr)
