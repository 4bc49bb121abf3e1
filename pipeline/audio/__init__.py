"""Audio values, files and sample rates; nothing in this package depends on manifests."""

from pipeline.audio.clip import Clip as Clip
from pipeline.audio.clip import Floats as Floats
from pipeline.audio.clip import Loop as Loop
from pipeline.audio.clip import Samples as Samples
from pipeline.audio.dither import Depth as Depth
from pipeline.audio.dither import pcm_bytes as pcm_bytes
from pipeline.audio.dither import pcm_sha256 as pcm_sha256
from pipeline.audio.rate import resample as resample
from pipeline.audio.rate import resample_loop as resample_loop
from pipeline.audio.reading import read as read
from pipeline.audio.reading import read_sound as read_sound
from pipeline.audio.wav_writer import Chunk as Chunk
from pipeline.audio.wav_writer import read_chunks as read_chunks
from pipeline.audio.wav_writer import take_bytes as take_bytes
from pipeline.audio.wav_writer import wav_bytes as wav_bytes
