/** A cup with its steam; the steam stands still for those who asked for less motion. */
export function Steam() {
  return (
    <svg
      viewBox="0 0 220 190"
      width="220"
      height="190"
      fill="none"
      aria-hidden="true"
      className="text-accent"
    >
      <g className="text-edge" stroke="currentColor" strokeWidth="4" strokeLinecap="round">
        <path className="animate-steam" d="M74 70c-11-13 10-20 0-35s6-19 2-27" />
        <path className="animate-steam [animation-delay:-1.6s]" d="M104 70c-11-13 10-20 0-35s6-19 2-27" />
        <path className="animate-steam [animation-delay:-3.1s]" d="M134 70c-11-13 10-20 0-35s6-19 2-27" />
      </g>
      <path
        fill="currentColor"
        d="M34 88c0-3 2.3-5 5-5h130c2.8 0 5 2 5 5v4c16-4 34 3 36 20 2 20-19 32-42 31-9 19-28 31-50 31H90c-31 0-56-25-56-56V88Zm140 18v12c0 4-.4 8-1.2 11.5 12 0 23-5 22-15-.8-8-11-11-20.8-8.5Z"
      />
      <ellipse cx="104" cy="89" rx="61" ry="5.5" fill="#3a2116" />
      <path stroke="currentColor" strokeWidth="6" strokeLinecap="round" d="M22 184h164" />
    </svg>
  )
}
