// Probe is both ends of connections that a network policy allows or refuses.
//
//	probe serve ADDRESS...            greets and hangs up
//	probe watch DURATION ADDRESS...   tries each from its first moment on, for that long and at least half as often as
//	                                  an idle machine lets it in that time, and prints for each, in their order, how
//	                                  often somebody took the connection, and how often another probe greeted it
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	greeting = "hello\n"
	interval = 20 * time.Millisecond
	patience = time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) >= 2 && arguments[0] == "serve" {
		return serve(arguments[1:])
	}
	if len(arguments) >= 3 && arguments[0] == "watch" {
		return watch(arguments[1], arguments[2:])
	}
	return fmt.Errorf("%q: use serve ADDRESS... or watch DURATION ADDRESS...", arguments)
}

func serve(addresses []string) error {
	ended := make(chan error)
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go func() { ended <- greet(listener) }()
	}
	return <-ended
}

func greet(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			_, _ = io.WriteString(connection, greeting)
		}()
	}
}

func watch(duration string, addresses []string) error {
	length, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	said := make([]string, len(addresses))
	var all sync.WaitGroup
	for number, address := range addresses {
		all.Go(func() { said[number] = try(length, address) })
	}
	all.Wait()
	fmt.Println(strings.Join(said, "\n"))
	return nil
}

// try does not wait for one attempt to end before the next begins: a refused one takes its whole patience, and
// what is looked for may last a moment only.
func try(length time.Duration, address string) string {
	var connected, greeted atomic.Int64
	var all sync.WaitGroup
	attempts, enough := 0, int(length/interval/2)
	for end := time.Now().Add(length); time.Now().Before(end) || attempts < enough; time.Sleep(interval) {
		attempts++
		all.Go(func() {
			connection, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				return
			}
			defer connection.Close()
			connected.Add(1)
			if greets(connection) {
				greeted.Add(1)
			}
		})
	}
	all.Wait()
	return fmt.Sprintf("attempts=%d connected=%d greeted=%d", attempts, connected.Load(), greeted.Load())
}

func greets(connection net.Conn) bool {
	_ = connection.SetDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(connection)
	return err == nil && string(said) == greeting
}
