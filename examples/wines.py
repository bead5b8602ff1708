"""Two tasks on a DataFrame with missing labels and a backbone of your own: fit, evaluate, predict, save, load."""

from sklearn.datasets import load_wine
from torch import nn

import mtl_core as mtl

wines = load_wine(as_frame=True).frame
wines.loc[::3, "alcohol"] = None
data = mtl.Data.from_frame(wines, inputs={"hue": "number", "proline": "number"}, labels=["target", "alcohol"])
net = nn.Sequential(nn.Linear(2, 32), nn.ReLU())
model = mtl.Model([mtl.Task("target"), mtl.Task("alcohol", kind="regression")], backbone=net)
run = model.fit(data, epochs=20, seed=7)
print(run.metrics["test", "target", "accuracy"], run.metrics["test", "alcohol", "mae"])
print(run.predict(wines.head(3)).to_frame())
path = run.save("runs/wines")
print(mtl.load(path, parts=[net]).predict(wines.head(3)).to_frame())
