// SPDX-License-Identifier: Apache-2.0
// tcp PORT: one TCP connection with itself on 127.0.0.1 (0: any port), both ends closed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  const int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

  if (argc > 1) address.sin_port = htons((unsigned short)atoi(argv[1]));
  if (bind(listener, (struct sockaddr*)&address, size) || listen(listener, 1) ||
      getsockname(listener, (struct sockaddr*)&address, &size) || connect(client, (struct sockaddr*)&address, size)) {
    perror("tcp");
    return 1;
  }
  const int server = accept(listener, NULL, NULL);
  return server < 0 || close(server) || close(client) || close(listener);
}
