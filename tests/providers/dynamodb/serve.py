"""AWS's DynamoDB Local, in memory, where nothing but a Unix socket leads to it.

It listens on every address of the machine and has no flag for another one. So it is started in a network namespace that has
nothing but a loopback interface, and whoever connects to the socket is passed on to it:

    unshare --map-root-user --net --pid --fork --kill-child python3 serve.py SOCKET

Says `ready` on standard output, and ends with its standard input.
"""

import asyncio
import fcntl
import os
import pathlib
import socket
import struct
import sys

PORT = 8000
EMULATOR = pathlib.Path(__file__).resolve().parent.joinpath("node_modules", "amplify-dynamodb-simulator", "emulator")
JAVA = [
    "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-jar", str(EMULATOR.joinpath("DynamoDBLocal.jar")), "-inMemory", "-disableTelemetry", "-port", str(PORT),
]
# Where Java finds the native libraries.
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": str(EMULATOR.joinpath("DynamoDBLocal_lib"))}
# <linux/sockios.h> and <net/if.h>.
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


async def connect():
    return await asyncio.open_connection("127.0.0.1", PORT)


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def pass_on(reader, writer):
    database_reader, database_writer = await connect()
    await asyncio.gather(copy(reader, database_writer), copy(database_reader, writer))


async def until_ready(database):
    while database.returncode is None:
        try:
            _, writer = await connect()
            writer.close()
            return
        except ConnectionError:
            await asyncio.sleep(0.05)
    sys.exit("DynamoDB Local ended")


async def until_input_ends():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def main():
    bring_loopback_up()
    # What it says is for people: only `ready` goes to standard output. It writes a file into the folder that it runs in.
    folder = pathlib.Path(sys.argv[1]).resolve().parent
    pipes = {"stdin": asyncio.subprocess.DEVNULL, "stdout": sys.stderr}
    database = await asyncio.create_subprocess_exec(*JAVA, cwd=folder, env=ENVIRONMENT, **pipes)
    await until_ready(database)
    await asyncio.start_unix_server(pass_on, sys.argv[1])
    print("ready", flush=True)
    await until_input_ends()
    database.kill()


asyncio.run(main())
