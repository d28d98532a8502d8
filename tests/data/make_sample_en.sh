#!/bin/bash
# Makes sample_en.mp4 beside this file again, on Debian 12 with ffmpeg and fonts-dejavu-core. See README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "$0")" && pwd)
font=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 . # apt fetches as a user of its own
apt-get download pocketsphinx-testdata
dpkg-deb -x pocketsphinx-testdata_*.deb .

# The reading is cut into pieces in the package; three of them, with the pauses of the book between.
piece=usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb
ffmpeg -v error -y -i $piece-0870.wav -i $piece-0880.wav -i $piece-0890.wav -filter_complex \
    "[0]apad=pad_dur=0.35[a];[1]apad=pad_dur=0.2[b];[2]apad=pad_dur=0.3[c];[a][b][c]concat=n=3:v=0:a=1" speech.wav

label() { echo "drawtext=fontfile=$font:fontcolor=$1:fontsize=$2:x=$3:y=$4:text='$5'"; }
background="gradients=s=640x360:c0=0x12304f:c1=0x2f7f86:c2=0x7a3b69:nb_colors=3:seed=7:x0=0:y0=0:x1=640:y1=360:speed=0.02:r=25"
waves="[1:a]volume=6,aformat=channel_layouts=mono,showwaves=s=640x140:mode=cline:rate=25:scale=sqrt:colors=0xffffffcc[waves]"
title=$(label white 32 "(w-tw)/2" 50 "Sense and Sensibility")
reader=$(label 0xdddddd 15 "(w-tw)/2" 100 "Jane Austen, read by a LibriVox volunteer (public domain)")
clock=$(label 0xdddddd 15 12 h-26 '%{pts\:hms}')
ffmpeg -v error -y -f lavfi -i "$background" -i speech.wav \
    -filter_complex "$waves;[0:v][waves]overlay=0:150:shortest=1,$title,$reader,$clock,format=yuv420p[picture]" \
    -map "[picture]" -map 1:a -c:v libx264 -preset medium -crf 31 -g 50 -c:a aac -b:a 96k -ar 44100 \
    -metadata:s:a:0 language=eng -movflags +faststart -shortest "$here/sample_en.mp4"
