"""A QONNX model that finds its tensors by name in a dictionary, for executing graphs of thousands of nodes."""

from __future__ import annotations

from collections import defaultdict

from onnx import ModelProto, NodeProto, ValueInfoProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper


class IndexedModel(ModelWrapper):
    """A model to be read and executed, not changed: what it answers about tensors is looked up once.

    qonnx walks through all of a graph's tensors for each question about one of them, several times a node; in
    BinaryViT small/4/224 (3,398 nodes) nearly all of the execution's time went there.
    """

    def __init__(self, model: ModelProto) -> None:
        super().__init__(model, fix_missing_initializer_valueinfo=False)
        graph = self.graph
        self._infos = {info.name: info for infos in (graph.input, graph.output, graph.value_info) for info in infos}
        self._datatypes: dict[str, BaseDataType] = {}
        for note in graph.quantization_annotation:
            for entry in note.quant_parameter_tensor_names:
                if entry.key == "finn_datatype":
                    self._datatypes[note.tensor_name] = DataType[entry.value]
        self._consumers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._consumers[name].append(node)

    def get_tensor_valueinfo(self, tensor_name: str) -> ValueInfoProto | None:
        return self._infos.get(tensor_name)

    def get_tensor_shape(self, tensor_name: str, fix_missing_init_shape: bool = False) -> list[int] | None:
        if (info := self._infos.get(tensor_name)) is not None:
            return [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        return super().get_tensor_shape(tensor_name, fix_missing_init_shape)

    def get_tensor_datatype(self, tensor_name: str) -> BaseDataType:
        if (datatype := self._datatypes.get(tensor_name)) is not None:
            return datatype
        return super().get_tensor_datatype(tensor_name)

    def find_consumers(self, tensor_name: str) -> list[NodeProto]:
        return list(self._consumers[tensor_name])
