"""Dubs one video into another language, as a translator program of `dubhook serve --translator command`.

A job goes through these rooms, in this order; each file knows one thing:

    job        the job on standard input, checked
    fetch      the video's address -> a file on this machine
    media      what is in that file; its sound as plain samples
    recognise  sound -> timed words, by Whisper or by pocketsphinx   (model: where Whisper's weights are)
    sentences  timed words -> timed sentences
    translate  sentences -> sentences in the target language         (languages: what can be translated and spoken)
    speak      sentences -> one sound track, each sentence in its slot
    subtitles  sentences -> SubRip text
    assemble   picture + both sound tracks + both subtitles -> the mp4

`main` calls them and decides nothing else. `report` is the only one that writes to standard output, `tools` the only one
that starts other programs, and `failure` is how any of them tells the person who asked what is wrong.
"""
