package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// source reads a file of a log by its path (https://c2sp.org/tlog-tiles); fs.ErrNotExist if it is
// not there.
type source func(path string) ([]byte, error)

// open also says whether entries can be read there.
func open(place string) (source, bool, error) {
	if !strings.HasPrefix(place, "https://") {
		return func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(place, path)) }, true, nil
	}
	authorities, err := os.ReadFile(os.Getenv("LOGJUDGE_CA"))
	if err != nil {
		return nil, false, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorities) {
		return nil, false, errors.New("LOGJUDGE_CA holds no certificate")
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, os.Getenv("LOGJUDGE_CONNECT"))
		},
	}}
	return func(path string) ([]byte, error) { return get(client, place+"/"+path) }, false, nil
}

func get(client *http.Client, url string) ([]byte, error) {
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("%s: %s", url, response.Status)
}

// tiles reads C2SP tiles. Go's paths carry the tile height, C2SP's do not.
type tiles source

func (tiles) Height() int { return 8 }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (from tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		data, err := from(path(tile))
		if errors.Is(err, fs.ErrNotExist) && tile.W < 256 {
			full := tile
			full.W = 256
			if data, err = from(path(full)); err == nil {
				data = data[:tile.W*sha256.Size]
			}
		}
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func path(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
}

// bundle reads the entry bundle n with width w: entries behind big-endian 16-bit lengths.
func bundle(from source, n int64, w int) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: 0, N: n, W: w}
	path := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
	data, err := from(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s: torn entry", path)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(entries) != w {
		return nil, fmt.Errorf("%s: %d entries instead of %d", path, len(entries), w)
	}
	return entries, nil
}
