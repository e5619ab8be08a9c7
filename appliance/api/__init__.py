"""The agent's APIs: the ``.proto`` files, the code generated from them, and the local client.

The generated code is checked in; ``make protos`` makes it anew, which is::

    python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. --grpc_python_out=. \
        appliance/api/agent.proto appliance/api/machine.proto appliance/api/peer.proto
"""
